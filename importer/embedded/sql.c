#include "importer/embedded/sql.h"

/*
 * File storage. A component whose storage was never changed has no row in
 * storages. id names files/ID; a file's key is its id without the number;
 * content_type is '' if there is none.
 */
#define MIGRATE_STORAGE                                                        \
	"CREATE TABLE storages("                                               \
	"  component INTEGER PRIMARY KEY REFERENCES components(id),"           \
	"  number INTEGER NOT NULL,"                                           \
	"  revision INTEGER NOT NULL,"                                         \
	"  committed_ns INTEGER NOT NULL,"                                     \
	"  file_count INTEGER NOT NULL,"                                       \
	"  size INTEGER NOT NULL,"                                             \
	"  documents_size INTEGER NOT NULL);"                                  \
                                                                               \
	"CREATE TABLE stored_files("                                           \
	"  id INTEGER PRIMARY KEY,"                                            \
	"  component INTEGER NOT NULL REFERENCES components(id),"              \
	"  key BLOB NOT NULL,"                                                 \
	"  creation_time REAL NOT NULL,"                                       \
	"  size INTEGER NOT NULL,"                                             \
	"  sha256 BLOB NOT NULL,"                                              \
	"  content_type TEXT NOT NULL,"                                        \
	"  internal_id TEXT NOT NULL,"                                         \
	"  UNIQUE (component, key));"

/*
 * schemas: the active schema of a component, as canonical JSON; without bytes
 * there is none. revision is the last of the counters when it was set.
 * index_runs: sorted pieces of the indexes that the schema names (runs.h).
 * start and size: the bytes of the table whose rows the run has. Numbers are
 * taken from those of segments.
 */
#define MIGRATE_SCHEMAS                                                        \
	"CREATE TABLE schemas("                                                \
	"  component INTEGER PRIMARY KEY REFERENCES components(id),"           \
	"  revision INTEGER NOT NULL,"                                         \
	"  text BLOB NOT NULL);"                                               \
	"CREATE TABLE index_runs("                                             \
	"  id INTEGER PRIMARY KEY,"                                            \
	"  table_id INTEGER NOT NULL REFERENCES tables(id),"                   \
	"  index_name TEXT NOT NULL,"                                          \
	"  start INTEGER NOT NULL,"                                            \
	"  size INTEGER NOT NULL,"                                             \
	"  row_count INTEGER NOT NULL,"                                        \
	"  UNIQUE (table_id, index_name, start));"

/*
 * What the server was asked to do (jobs.h). state: an enum job_state; extents:
 * pairs of offset and size in the file of the upload.
 */
#define MIGRATE_JOBS                                                           \
	"CREATE TABLE import_jobs("                                            \
	"  number INTEGER PRIMARY KEY AUTOINCREMENT,"                          \
	"  id TEXT NOT NULL UNIQUE,"                                           \
	"  created_ms REAL NOT NULL,"                                          \
	"  component TEXT NOT NULL,"                                           \
	"  table_name TEXT NOT NULL,"                                          \
	"  format TEXT NOT NULL,"                                              \
	"  mode TEXT NOT NULL,"                                                \
	"  confirms_itself INTEGER NOT NULL,"                                  \
	"  size INTEGER NOT NULL,"                                             \
	"  extents BLOB NOT NULL,"                                             \
	"  state INTEGER NOT NULL DEFAULT 0,"                                  \
	"  message TEXT NOT NULL DEFAULT '',"                                  \
	"  needs_confirmation INTEGER NOT NULL DEFAULT 0,"                     \
	"  checkpoints TEXT NOT NULL DEFAULT 'null',"                          \
	"  progress TEXT NOT NULL DEFAULT '',"                                 \
	"  progress_list TEXT NOT NULL DEFAULT '[]',"                          \
	"  row_count INTEGER NOT NULL DEFAULT 0,"                              \
	"  finished_ns INTEGER NOT NULL DEFAULT 0,"                            \
	"  error_text TEXT NOT NULL DEFAULT '',"                               \
	"  failure_count INTEGER NOT NULL DEFAULT 0,"                          \
	"  retry_ns INTEGER NOT NULL DEFAULT 0);"                              \
	"CREATE INDEX open_import_jobs ON import_jobs(state, number)"          \
	"  WHERE state IN (0, 2);"                                             \
                                                                               \
	"CREATE TABLE export_jobs("                                            \
	"  number INTEGER PRIMARY KEY AUTOINCREMENT,"                          \
	"  id TEXT NOT NULL UNIQUE,"                                           \
	"  created_ms REAL NOT NULL,"                                          \
	"  component TEXT NOT NULL,"                                           \
	"  has_storage INTEGER NOT NULL,"                                      \
	"  state INTEGER NOT NULL DEFAULT 0,"                                  \
	"  progress TEXT NOT NULL DEFAULT '',"                                 \
	"  start_ns INTEGER NOT NULL DEFAULT 0,"                               \
	"  finished_ns INTEGER NOT NULL DEFAULT 0,"                            \
	"  expiration_ns INTEGER NOT NULL,"                                    \
	"  size INTEGER NOT NULL DEFAULT 0);"

/*
 * Of a copy of another deployment: the tables whose documents it holds as they
 * were there, at this revision of its own (held.h). A table without such a row,
 * or at another revision, is known by name only.
 */
#define MIGRATE_HELD                                                           \
	"CREATE TABLE held_tables("                                            \
	"  table_id INTEGER PRIMARY KEY,"                                      \
	"  revision INTEGER NOT NULL,"                                         \
	"  way INTEGER NOT NULL,"                                              \
	"  cursor TEXT NOT NULL,"                                              \
	"  used_ns INTEGER NOT NULL);"                                         \
	"CREATE TRIGGER held_table_goes AFTER DELETE ON tables BEGIN"          \
	"  DELETE FROM held_tables WHERE table_id = OLD.id; END;"

#define JOB_COLUMNS                                                            \
	"number, id, created_ms, component, table_name, format, mode,"         \
	"  confirms_itself, size, extents, state, message,"                    \
	"  needs_confirmation, checkpoints, progress, progress_list,"          \
	"  row_count, finished_ns, error_text, failure_count"

#define EXPORT_COLUMNS                                                         \
	"number, id, created_ms, component, has_storage, state, progress,"     \
	"  start_ns, finished_ns, expiration_ns, size"

/* Whether component c is the one of path ?1, or below it; '' is the root. */
#define AT_OR_BELOW                                                            \
	"(?1 = '' OR c.path = ?1"                                              \
	" OR substr(c.path, 1, length(?1) + 1) = ?1 || '/')"

const char *const sql_migrations[SQL_VERSION] = {
	/*
	 * Numbers below 10001 that tables of a system would have are reserved
	 * in table_numbers.c and stand in no row. free_number: no user number
	 * below it is free. A stamp is the last one that generated ids and
	 * times have used (import.md 2 and 3): of the table, and of all tables.
	 */
	"CREATE TABLE meta("
	"  key TEXT PRIMARY KEY NOT NULL,"
	"  value BLOB NOT NULL) WITHOUT ROWID;"

	"CREATE TABLE counters("
	"  one INTEGER PRIMARY KEY CHECK (one = 1),"
	"  revision INTEGER NOT NULL,"
	"  segment INTEGER NOT NULL,"
	"  stamp_ms INTEGER NOT NULL,"
	"  stamp_counter INTEGER NOT NULL,"
	"  stamp_time REAL NOT NULL);"
	"INSERT INTO counters VALUES (1, 0, 0, 0, 0, 0.0);"

	"CREATE TABLE components("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  path TEXT NOT NULL UNIQUE,"
	"  table_count INTEGER NOT NULL,"
	"  free_number INTEGER NOT NULL);"
	"INSERT INTO components VALUES (1, '', 0, 10001);"

	"CREATE TABLE tables("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  component INTEGER NOT NULL REFERENCES components(id),"
	"  name TEXT NOT NULL,"
	"  number INTEGER NOT NULL,"
	"  revision INTEGER NOT NULL,"
	"  committed_ns INTEGER NOT NULL,"
	"  row_count INTEGER NOT NULL,"
	"  size INTEGER NOT NULL,"
	"  beyond_plain INTEGER NOT NULL,"
	"  stamp_ms INTEGER NOT NULL,"
	"  stamp_counter INTEGER NOT NULL,"
	"  stamp_time REAL NOT NULL,"
	"  UNIQUE (component, name),"
	"  UNIQUE (component, number));"

	"CREATE TABLE segments("
	"  id INTEGER PRIMARY KEY,"
	"  table_id INTEGER NOT NULL REFERENCES tables(id),"
	"  position INTEGER NOT NULL,"
	"  size INTEGER NOT NULL,"
	"  row_count INTEGER NOT NULL,"
	"  first_key BLOB NOT NULL,"
	"  last_key BLOB NOT NULL,"
	"  ascending INTEGER NOT NULL,"
	"  beyond_plain INTEGER NOT NULL,"
	"  UNIQUE (table_id, position));"

	"CREATE TABLE imports("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,"
	"  component TEXT NOT NULL,"
	"  table_name TEXT NOT NULL,"
	"  path TEXT NOT NULL,"
	"  format TEXT NOT NULL,"
	"  mode TEXT NOT NULL,"
	"  row_count INTEGER NOT NULL,"
	"  size INTEGER NOT NULL,"
	"  started_ns INTEGER NOT NULL,"
	"  finished_ns INTEGER NOT NULL,"
	"  error_code TEXT NOT NULL,"
	"  error_text TEXT NOT NULL);"
	"CREATE INDEX imports_by_table ON imports(component, table_name);"
	"CREATE INDEX failed_imports ON imports(id) WHERE error_code <> '';",

	MIGRATE_STORAGE MIGRATE_SCHEMAS MIGRATE_JOBS,

	MIGRATE_HELD,
};

const char *const sql_statements[SQL_COUNT] = {
	/* key -> value */
	[SQL_GET_META] = "SELECT value FROM meta WHERE key = ?1",

	/* key, value */
	[SQL_PUT_META] = "INSERT OR REPLACE INTO meta VALUES (?1, ?2)",

	/* path -> id, table count, free number */
	[SQL_FIND_COMPONENT] = "SELECT id, table_count, free_number"
			       "  FROM components WHERE path = ?1",

	/* -> path of each */
	[SQL_LIST_COMPONENTS] = "SELECT path FROM components ORDER BY path",

	/* path */
	[SQL_INSERT_COMPONENT] =
		"INSERT INTO components VALUES (NULL, ?1, 0, 10001)",

	/* id of a component, each of the three */
	[SQL_DELETE_STORAGE] = "DELETE FROM storages WHERE component = ?1",
	[SQL_DELETE_SCHEMA] = "DELETE FROM schemas WHERE component = ?1",
	[SQL_DELETE_COMPONENT] = "DELETE FROM components WHERE id = ?1",

	/* id, table count, free number */
	[SQL_UPDATE_COMPONENT] =
		"UPDATE components SET table_count = ?2, free_number = ?3"
		"  WHERE id = ?1",

	/* component path, name -> id, number, revision, committed, rows, size,
	 * beyond plain, stamp: ms, counter, time */
	[SQL_FIND_TABLE] =
		"SELECT t.id, number, revision, committed_ns, row_count, size,"
		"  beyond_plain, stamp_ms, stamp_counter, stamp_time"
		"  FROM components c JOIN tables t ON t.component = c.id"
		"  WHERE c.path = ?1 AND t.name = ?2",

	/* component path -> name, number, revision, committed, rows, size */
	[SQL_LIST_TABLES] =
		"SELECT name, number, revision, committed_ns, row_count, size"
		"  FROM components c JOIN tables t ON t.component = c.id"
		"  WHERE c.path = ?1 ORDER BY name",

	/* -> component path, name, id, number, revision, committed; of all
	 * components */
	[SQL_LIST_ALL_TABLES] =
		"SELECT c.path, t.name, t.id, t.number, t.revision,"
		"  t.committed_ns"
		"  FROM components c JOIN tables t ON t.component = c.id"
		"  ORDER BY c.path, t.name",

	/* component path -> name, number */
	[SQL_LIST_NUMBERS] =
		"SELECT name, number"
		"  FROM components c JOIN tables t ON t.component = c.id"
		"  WHERE c.path = ?1 ORDER BY number",

	/* component id, number -> name of the table that has it */
	[SQL_FIND_NUMBER] = "SELECT name FROM tables"
			    "  WHERE component = ?1 AND number = ?2",

	/* component id, name, number, revision, committed */
	[SQL_INSERT_TABLE] = "INSERT INTO tables VALUES"
			     "  (NULL, ?1, ?2, ?3, ?4, ?5, 0, 0, 0, 0, 0, 0.0)",

	/* id, number, revision, committed, rows, size, beyond plain, stamp: ms,
	 * counter, time */
	[SQL_UPDATE_TABLE] =
		"UPDATE tables SET number = ?2, revision = ?3,"
		"  committed_ns = ?4, row_count = ?5, size = ?6,"
		"  beyond_plain = ?7, stamp_ms = ?8, stamp_counter = ?9,"
		"  stamp_time = ?10 WHERE id = ?1",

	/* id */
	[SQL_DELETE_TABLE] = "DELETE FROM tables WHERE id = ?1",

	/* id of a table, which gets a number that no table can have */
	[SQL_SET_ASIDE] = "UPDATE tables SET number = -id WHERE id = ?1",

	/* component path -> id, path; in the order of their making */
	[SQL_SNAPSHOT_COMPONENTS] = "SELECT c.id, c.path FROM components c"
				    "  WHERE " AT_OR_BELOW " ORDER BY c.id",

	/* component path -> component id, id, name, number, revision,
	 * committed, rows, size; a table of no component, too */
	[SQL_SNAPSHOT_TABLES] =
		"SELECT t.component, t.id, t.name, t.number, t.revision,"
		"  t.committed_ns, t.row_count, t.size FROM tables t"
		"  LEFT JOIN components c ON c.id = t.component"
		"  WHERE c.id IS NULL OR " AT_OR_BELOW
		"  ORDER BY t.component, t.number",

	/* component path, name -> number, revision, committed, rows, size;
	 * segment id, size (NULL: the table has none) */
	[SQL_OPEN_TABLE] =
		"SELECT t.number, t.revision, t.committed_ns, t.row_count,"
		"  t.size, s.id, s.size"
		"  FROM components c JOIN tables t ON t.component = c.id"
		"  LEFT JOIN segments s ON s.table_id = t.id"
		"  WHERE c.path = ?1 AND t.name = ?2 ORDER BY s.position",

	/* table id -> id, position, size, rows, first key, last key,
	 * ascending, beyond plain */
	[SQL_LIST_SEGMENTS] =
		"SELECT id, position, size, row_count, first_key, last_key,"
		"  ascending, beyond_plain"
		"  FROM segments WHERE table_id = ?1 ORDER BY position",

	/* -> id, ascending; all of them */
	[SQL_LIST_SEGMENT_IDS] =
		"SELECT id, ascending FROM segments ORDER BY id",

	/* id, table id, position, size, rows, first key, last key, ascending,
	 * beyond plain */
	[SQL_INSERT_SEGMENT] = "INSERT INTO segments VALUES"
			       "  (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",

	/* id, size, rows, last key, beyond plain */
	[SQL_GROW_SEGMENT] = "UPDATE segments SET size = ?2, row_count = ?3,"
			     "  last_key = ?4, beyond_plain = ?5 WHERE id = ?1",

	/* id */
	[SQL_DELETE_SEGMENT] = "DELETE FROM segments WHERE id = ?1",

	/* component id -> number, revision, committed, files, size, documents
	 * size */
	[SQL_FIND_STORAGE] = "SELECT number, revision, committed_ns,"
			     "  file_count, size, documents_size"
			     "  FROM storages WHERE component = ?1",

	/* component id, number, revision, committed, files, size, documents
	 * size */
	[SQL_PUT_STORAGE] = "INSERT OR REPLACE INTO storages VALUES"
			    "  (?1, ?2, ?3, ?4, ?5, ?6, ?7)",

	/* component path -> key, creation time, size, sha256, content type,
	 * internal id, id, storage number (NULL: the default) */
	[SQL_LIST_STORED_FILES] =
		"SELECT f.key, f.creation_time, f.size, f.sha256,"
		"  f.content_type, f.internal_id, f.id, s.number"
		"  FROM components c JOIN stored_files f ON f.component = c.id"
		"  LEFT JOIN storages s ON s.component = c.id"
		"  WHERE c.path = ?1 ORDER BY f.key",

	/* component path, key -> likewise */
	[SQL_FIND_STORED_FILE] =
		"SELECT f.key, f.creation_time, f.size, f.sha256,"
		"  f.content_type, f.internal_id, f.id, s.number"
		"  FROM components c JOIN stored_files f ON f.component = c.id"
		"  LEFT JOIN storages s ON s.component = c.id"
		"  WHERE c.path = ?1 AND f.key = ?2",

	/* component id -> id of each file */
	[SQL_LIST_FILES_OF] =
		"SELECT id FROM stored_files WHERE component = ?1",

	/* -> id of each file of all components */
	[SQL_LIST_FILE_IDS] = "SELECT id FROM stored_files ORDER BY id",

	/* id, component id, key, creation time, size, sha256, content type,
	 * internal id */
	[SQL_INSERT_STORED_FILE] = "INSERT INTO stored_files VALUES"
				   "  (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",

	/* id */
	[SQL_DELETE_STORED_FILE] = "DELETE FROM stored_files WHERE id = ?1",

	/* component id */
	[SQL_DELETE_FILES_OF] = "DELETE FROM stored_files WHERE component = ?1",

	/* component path -> revision, text */
	[SQL_FIND_SCHEMA] =
		"SELECT s.revision, s.text"
		"  FROM components c JOIN schemas s ON s.component = c.id"
		"  WHERE c.path = ?1 AND length(s.text) > 0",

	/* -> path of each component that has one */
	[SQL_LIST_SCHEMAS] =
		"SELECT c.path"
		"  FROM components c JOIN schemas s ON s.component = c.id"
		"  WHERE length(s.text) > 0 ORDER BY c.path",

	/* -> a number that is another one after every change */
	[SQL_SCHEMAS_VERSION] =
		"SELECT coalesce(max(revision), 0) FROM schemas",

	/* component id, revision, text */
	[SQL_PUT_SCHEMA] = "INSERT OR REPLACE INTO schemas VALUES (?1, ?2, ?3)",

	/* table id -> id, index name, start, size, rows */
	[SQL_INDEX_RUNS] = "SELECT id, index_name, start, size, row_count"
			   "  FROM index_runs WHERE table_id = ?1"
			   "  ORDER BY index_name, start",

	/* -> id; of all of them */
	[SQL_LIST_RUN_IDS] = "SELECT id FROM index_runs ORDER BY id",

	/* id, table id, index name, start, size, rows */
	[SQL_INSERT_RUN] =
		"INSERT INTO index_runs VALUES (?1, ?2, ?3, ?4, ?5, ?6)",

	/* id */
	[SQL_DELETE_RUN] = "DELETE FROM index_runs WHERE id = ?1",

	/* -> revision, segment, stamp: ms, counter, time */
	[SQL_GET_COUNTERS] = "SELECT revision, segment, stamp_ms,"
			     "  stamp_counter, stamp_time FROM counters",

	/* revision, segment, stamp: ms, counter, time */
	[SQL_PUT_COUNTERS] = "UPDATE counters SET revision = ?1, segment = ?2,"
			     "  stamp_ms = ?3, stamp_counter = ?4,"
			     "  stamp_time = ?5",

	/* component, table, path, format, mode, rows, size, started, finished,
	 * error code, error text */
	[SQL_INSERT_IMPORT] =
		"INSERT INTO imports VALUES"
		"  (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",

	/* the id up to which records go */
	[SQL_PRUNE_IMPORTS] = "DELETE FROM imports WHERE id <= ?1",

	/* id, rows, error code, error text */
	[SQL_SETTLE_IMPORT] =
		"UPDATE imports SET row_count = ?2, error_code = ?3,"
		"  error_text = ?4 WHERE id = ?1",

	/* -> id, path, format, mode, rows, size, started, finished, error code,
	 * error text */
	[SQL_LIST_IMPORTS] =
		"SELECT id, path, format, mode, row_count, size, started_ns,"
		"  finished_ns, error_code, error_text FROM imports"
		"  ORDER BY id",

	/* -> error text of the last import that failed */
	[SQL_LAST_FAILURE] =
		"SELECT error_text FROM imports INDEXED BY failed_imports"
		"  WHERE error_code <> '' ORDER BY id DESC LIMIT 1",

	/* component, table -> error text of its last import */
	[SQL_LAST_OF_TABLE] = "SELECT error_text FROM imports"
			      "  WHERE component = ?1 AND table_name = ?2"
			      "  ORDER BY id DESC LIMIT 1",

	/* id, created, component, table, format, mode, confirms itself, size,
	 * extents */
	[SQL_INSERT_JOB] =
		"INSERT INTO import_jobs(id, created_ms, component, table_name,"
		"  format, mode, confirms_itself, size, extents)"
		"  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",

	/* the number up to which jobs that are over go */
	[SQL_PRUNE_JOBS] = "DELETE FROM import_jobs"
			   "  WHERE number <= ?1 AND state >= 3",

	/* id -> JOB_COLUMNS */
	[SQL_FIND_JOB] =
		"SELECT " JOB_COLUMNS " FROM import_jobs WHERE id = ?1",

	/* how many -> JOB_COLUMNS, newest first */
	[SQL_LIST_JOBS] = "SELECT " JOB_COLUMNS " FROM import_jobs"
			  "  ORDER BY number DESC LIMIT ?1",

	/* now -> JOB_COLUMNS of the one to work on */
	[SQL_NEXT_JOB] = "SELECT " JOB_COLUMNS " FROM import_jobs"
			 "  WHERE state IN (0, 2) AND retry_ns <= ?1"
			 "  ORDER BY state, number LIMIT 1",

	/* number -> state */
	[SQL_JOB_STATE] = "SELECT state FROM import_jobs WHERE number = ?1",

	/* number, message, needs confirmation, checkpoints */
	[SQL_JOB_PARSED] = "UPDATE import_jobs SET state = 1, message = ?2,"
			   "  needs_confirmation = ?3, checkpoints = ?4, "
			   "failure_count = 0,"
			   "  retry_ns = 0 WHERE number = ?1 AND state = 0",

	/* number */
	[SQL_JOB_CONFIRMED] =
		"UPDATE import_jobs SET state = 2, progress = 'Importing'"
		"  WHERE number = ?1 AND state = 1",

	/* number, progress, list of checkpoint messages */
	[SQL_JOB_PROGRESS] =
		"UPDATE import_jobs SET progress = ?2, progress_list = ?3"
		"  WHERE number = ?1 AND state = 2",

	/* number, rows, time */
	[SQL_JOB_COMPLETED] =
		"UPDATE import_jobs SET state = 3, row_count = ?2,"
		"  finished_ns = ?3 WHERE number = ?1 AND state = 2",

	/* number, text, time */
	[SQL_JOB_FAILED] = "UPDATE import_jobs SET state = 4, error_text = ?2,"
			   "  finished_ns = ?3 WHERE number = ?1 AND state < 3",

	/* number, time of the next try */
	[SQL_JOB_DELAYED] =
		"UPDATE import_jobs SET failure_count = failure_count + 1,"
		"  retry_ns = ?2 WHERE number = ?1",

	/* -> a number that is another one after a commit of others */
	[SQL_DATA_VERSION] = "PRAGMA data_version",

	/* has storage, id, created, component, expiration; nothing happens if
	 * one is under way */
	[SQL_INSERT_EXPORT] = "INSERT INTO export_jobs(has_storage, id, "
			      "created_ms, component,"
			      "  expiration_ns) SELECT ?1, ?2, ?3, ?4, ?5"
			      "  WHERE NOT EXISTS (SELECT 1 FROM export_jobs "
			      "WHERE state < 2)",

	/* how many of the newest stay */
	[SQL_PRUNE_EXPORTS] =
		"DELETE FROM export_jobs WHERE number <="
		"  (SELECT max(number) FROM export_jobs) - ?1 AND state >= 2",

	/* -> EXPORT_COLUMNS */
	[SQL_LATEST_EXPORT] = "SELECT " EXPORT_COLUMNS " FROM export_jobs"
			      "  ORDER BY number DESC LIMIT 1",

	/* id -> EXPORT_COLUMNS */
	[SQL_FIND_EXPORT] =
		"SELECT " EXPORT_COLUMNS " FROM export_jobs WHERE id = ?1",

	/* start -> EXPORT_COLUMNS of a completed one */
	[SQL_FIND_EXPORT_START] = "SELECT " EXPORT_COLUMNS " FROM export_jobs"
				  "  WHERE start_ns = ?1 AND state = 2",

	/* -> EXPORT_COLUMNS of the one to work on */
	[SQL_NEXT_EXPORT] = "SELECT " EXPORT_COLUMNS " FROM export_jobs"
			    "  WHERE state < 2 ORDER BY number LIMIT 1",

	/* number -> when it expires, if it is completed */
	[SQL_EXPORT_EXPIRATION] = "SELECT expiration_ns FROM export_jobs"
				  "  WHERE number = ?1 AND state = 2",

	/* number, start */
	[SQL_EXPORT_BEGUN] = "UPDATE export_jobs SET state = 1, start_ns = ?2,"
			     "  progress = '' WHERE number = ?1 AND state < 2",

	/* number, text */
	[SQL_EXPORT_PROGRESS] = "UPDATE export_jobs SET progress = ?2"
				"  WHERE number = ?1 AND state = 1",

	/* number, size, time */
	[SQL_EXPORT_COMPLETED] =
		"UPDATE export_jobs SET state = 2, size = ?2, finished_ns = ?3"
		"  WHERE number = ?1 AND state = 1",

	/* number, state, time */
	[SQL_EXPORT_ENDED] =
		"UPDATE export_jobs SET state = ?2, finished_ns = ?3"
		"  WHERE number = ?1 AND state < 2",

	/* number, expiration */
	[SQL_EXPORT_EXPIRES] = "UPDATE export_jobs SET expiration_ns = ?2"
			       "  WHERE number = ?1 AND state = 2",

	/* table id -> revision, way, cursor, used */
	[SQL_FIND_HELD] = "SELECT revision, way, cursor, used_ns"
			  "  FROM held_tables WHERE table_id = ?1",

	/* table id, revision, way, cursor, used */
	[SQL_PUT_HELD] = "INSERT OR REPLACE INTO held_tables"
			 "  VALUES (?1, ?2, ?3, ?4, ?5)",

	/* table id, used */
	[SQL_USE_HELD] =
		"UPDATE held_tables SET used_ns = ?2 WHERE table_id = ?1",

	/* table id */
	[SQL_DROP_HELD] = "DELETE FROM held_tables WHERE table_id = ?1",

	/* -> component path, name, size, used; the least recently used first */
	[SQL_LIST_HELD] =
		"SELECT c.path, t.name, t.size, h.used_ns"
		"  FROM held_tables h JOIN tables t ON t.id = h.table_id"
		"  JOIN components c ON c.id = t.component"
		"  WHERE h.revision = t.revision ORDER BY h.used_ns",

	/* -> "ok", or what SQLite finds wrong, a row each */
	[SQL_CHECK] = "PRAGMA integrity_check",
};
