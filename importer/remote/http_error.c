#include "importer/remote/http_error.h"

#include <errno.h>
#include <string.h>

#include <curl/curl.h>

static const struct {
	CURLcode code;
	int error;
} curl_errors[] = {
	{CURLE_COULDNT_RESOLVE_PROXY, -EHOSTUNREACH},
	{CURLE_COULDNT_RESOLVE_HOST, -EHOSTUNREACH},
	{CURLE_COULDNT_CONNECT, -ECONNREFUSED},
	{CURLE_PROXY, -ECONNREFUSED},
	{CURLE_OPERATION_TIMEDOUT, -ETIMEDOUT},
	{CURLE_SEND_ERROR, -ECONNRESET},
	{CURLE_SEND_FAIL_REWIND, -ECONNRESET},
	{CURLE_RECV_ERROR, -ECONNRESET},
	{CURLE_GOT_NOTHING, -ECONNRESET},
	{CURLE_PARTIAL_FILE, -ECONNRESET},
	{CURLE_HTTP2, -ECONNRESET},
	{CURLE_HTTP2_STREAM, -ECONNRESET},
	{CURLE_TOO_MANY_REDIRECTS, -ELOOP},
	{CURLE_OUT_OF_MEMORY, -ENOMEM},
	{CURLE_ABORTED_BY_CALLBACK, -ECANCELED},
	{CURLE_URL_MALFORMAT, -EINVAL},
	{CURLE_UNSUPPORTED_PROTOCOL, -EPROTO},
	{CURLE_WEIRD_SERVER_REPLY, -EPROTO},
	{CURLE_BAD_CONTENT_ENCODING, -EPROTO},
	{CURLE_SSL_CONNECT_ERROR, -EPROTO},
	{CURLE_SSL_CERTPROBLEM, -EPROTO},
	{CURLE_SSL_CIPHER, -EPROTO},
	{CURLE_PEER_FAILED_VERIFICATION, -EPROTO},
	{CURLE_SSL_CACERT_BADFILE, -EPROTO},
};

int http_error_of_curl(int curl_code, int os_error)
{
	size_t i;

	if (curl_code == CURLE_COULDNT_CONNECT && os_error > 0)
		return -os_error;
	for (i = 0; i < sizeof(curl_errors) / sizeof(*curl_errors); i++)
		if ((int)curl_errors[i].code == curl_code)
			return curl_errors[i].error;
	return -EPROTO;
}

/* The first row that fits decides. */
static const struct {
	int status;	  /* 0: any */
	const char *code; /* NULL: any */
	int error;
} status_errors[] = {
	{401, NULL, -EACCES},
	{403, "OperationNotPermitted", -EPERM},
	{403, "StreamingExportNotEnabled", -EPERM},
	{403, NULL, -EACCES}, /* HTTP-7: how clouds refuse a key is unknown */
	{400, "InvalidAdminKey", -EACCES},
	{400, "ExportInProgress", -EBUSY},
	{400, "CannotCancelImport", -EALREADY},
	{404, NULL, -ENOENT},
	{408, NULL, -ETIMEDOUT},
	{504, NULL, -ETIMEDOUT},
	{409, NULL, -EBUSY},
	{425, NULL, -EBUSY},
	{429, NULL, -EBUSY},
	{413, NULL, -EFBIG},
	{416, NULL, -ESPIPE},
};

int http_error_of_status(int status, const char *code)
{
	size_t i;

	for (i = 0; i < sizeof(status_errors) / sizeof(*status_errors); i++)
		if (status_errors[i].status == status &&
		    (!status_errors[i].code ||
		     strcmp(status_errors[i].code, code) == 0))
			return status_errors[i].error;
	if (status >= 500)
		return -EREMOTEIO;
	return status >= 400 ? -EINVAL : -EPROTO;
}

enum http_outcome http_outcome_of_status(int status)
{
	if (status >= 200 && status < 300)
		return HTTP_DONE;
	if (status == 404)
		return HTTP_NOT_FOUND;
	if (status == 501) /* not done, and not the next time either */
		return HTTP_REFUSED;
	if (status == 408 || status == 425 || status == 429 || status >= 500)
		return HTTP_AMBIGUOUS;
	return HTTP_REFUSED;
}

const char *http_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{301, "Moved Permanently"},
		{302, "Found"},
		{303, "See Other"},
		{307, "Temporary Redirect"},
		{308, "Permanent Redirect"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{407, "Proxy Authentication Required"},
		{408, "Request Timeout"},
		{409, "Conflict"},
		{413, "Content Too Large"},
		{416, "Range Not Satisfiable"},
		{421, "Misdirected Request"},
		{425, "Too Early"},
		{429, "Too Many Requests"},
		{500, "Internal Server Error"},
		{501, "Not Implemented"},
		{502, "Bad Gateway"},
		{503, "Service Unavailable"},
		{504, "Gateway Timeout"},
	};
	size_t i;

	for (i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "";
}
