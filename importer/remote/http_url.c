#include "importer/remote/http.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "cache/base/cleanup.h"
#include "cache/base/err.h"

/* Parts of a URL, as libcurl owns them. */
struct parts {
	CURLU *url;
	char *scheme, *host, *port, *user;
};

static void parts_fini(struct parts *p)
{
	curl_free(p->scheme);
	curl_free(p->host);
	curl_free(p->port);
	curl_free(p->user);
	curl_url_cleanup(p->url);
}

static bool ends_with(const char *text, const char *end)
{
	size_t size = strlen(text), end_size = strlen(end);

	return size >= end_size && strcasecmp(text + size - end_size, end) == 0;
}

static int check_parts(const struct parts *p, struct cvx_err *err)
{
	if (strcmp(p->scheme, "http") != 0 && strcmp(p->scheme, "https") != 0)
		return cvx_fail(err, -EINVAL,
				"the URL of a deployment begins with https:// "
				"or http://");
	if (p->user)
		return cvx_fail(err, -EINVAL,
				"a URL with a name or password in it is not "
				"the URL of a deployment");
	if (ends_with(p->host, ".convex.site"))
		return cvx_fail(err, -EINVAL,
				"%s serves the HTTP actions of a deployment; "
				"its own URL ends with .convex.cloud",
				p->host);
	return 0;
}

static int read_parts(struct parts *p, const char *url, struct cvx_err *err)
{
	p->url = curl_url();
	if (!p->url)
		return cvx_fail_memory(err);
	if (strncasecmp(url, "http:", 5) != 0 &&
	    strncasecmp(url, "https:", 6) != 0)
		return cvx_fail(err, -EINVAL,
				"the URL of a deployment begins with https:// "
				"or http://");
	if (curl_url_set(p->url, CURLUPART_URL, url, 0) != CURLUE_OK ||
	    curl_url_get(p->url, CURLUPART_SCHEME, &p->scheme, 0) !=
		    CURLUE_OK ||
	    curl_url_get(p->url, CURLUPART_HOST, &p->host, 0) != CURLUE_OK)
		return cvx_fail(err, -EINVAL, "not a URL");
	/* Both may be missing. */
	(void)curl_url_get(p->url, CURLUPART_PORT, &p->port, 0);
	(void)curl_url_get(p->url, CURLUPART_USER, &p->user, 0);
	return check_parts(p, err);
}

int http_origin(const char *url, char **ret, struct cvx_err *err)
{
	CVX_AUTO(parts_fini) struct parts p = {0};
	struct cvx_buf out = CVX_BUF_INIT(4096);
	size_t i;
	int r;

	r = read_parts(&p, url, err);
	if (r < 0)
		return r;
	for (i = 0; p.host[i]; i++)
		p.host[i] = (char)tolower((unsigned char)p.host[i]);
	r = cvx_buf_printf(&out, "%s://%s%s%s", p.scheme, p.host,
			   p.port ? ":" : "", p.port ? p.port : "");
	if (r == 0)
		r = cvx_buf_append(&out, "", 1);
	if (r < 0) {
		cvx_buf_fini(&out);
		return cvx_fail(err, r, "the URL is too long");
	}
	*ret = out.data;
	return 0;
}

int http_escape(struct cvx_buf *out, const char *text)
{
	int r = 0;

	for (; r == 0 && *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (isalnum(c) || strchr("-._~", c))
			r = cvx_buf_append(out, text, 1);
		else
			r = cvx_buf_printf(out, "%%%02X", c);
	}
	return r;
}
