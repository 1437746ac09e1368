/* An OAuth validator of PostgreSQL 18 for tests: asks the issuer's introspection endpoint
 * (RFC 7662) on loopback about each token, so that it sees expiry and revocation.
 *
 * Compiled with -DISSUER_PORT=… -DAUDIENCE='"…"'. Plain HTTP, no TLS: loopback only.
 */
#include "postgres.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "libpq/oauth.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

PG_MODULE_MAGIC;

/* A member of a JSON object as text; NULL if it is absent or neither string nor boolean. */
static char *
member(Jsonb *answer, const char *name)
{
	JsonbValue	value;

	if (getKeyJsonValueFromContainer(&answer->root, name, strlen(name), &value) == NULL)
		return NULL;
	if (value.type == jbvString)
		return pnstrdup(value.val.string.val, value.val.string.len);
	if (value.type == jbvBool)
		return pstrdup(value.val.boolean ? "true" : "false");
	return NULL;
}

static int
connect_to_issuer(void)
{
	struct sockaddr_in address = {0};
	struct timeval seconds = {.tv_sec = 10};
	int			channel = socket(AF_INET, SOCK_STREAM, 0);

	address.sin_family = AF_INET;
	address.sin_port = htons(ISSUER_PORT);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (channel < 0)
		return -1;
	setsockopt(channel, SOL_SOCKET, SO_RCVTIMEO, &seconds, sizeof(seconds));
	setsockopt(channel, SOL_SOCKET, SO_SNDTIMEO, &seconds, sizeof(seconds));
	if (connect(channel, (struct sockaddr *) &address, sizeof(address)) == 0)
		return channel;
	close(channel);
	return -1;
}

/* The body of the answer to a form with the token; NULL if there was none with status 200. */
static char *
introspect(const char *token)
{
	int			channel = connect_to_issuer();
	StringInfoData request;
	StringInfoData answer;
	char		part[4096];
	ssize_t		got = 0;
	char	   *body;

	if (channel < 0)
	{
		ereport(WARNING, (errmsg("the issuer at port %d does not answer", ISSUER_PORT)));
		return NULL;
	}
	initStringInfo(&request);
	initStringInfo(&answer);
	appendStringInfo(&request,
					 "POST /introspect HTTP/1.0\r\nHost: 127.0.0.1\r\n"
					 "Content-Type: application/x-www-form-urlencoded\r\n"
					 "Content-Length: %zu\r\n\r\ntoken=%s",
					 strlen("token=") + strlen(token), token);
	for (int sent = 0; sent < request.len; sent += got)
		if ((got = send(channel, request.data + sent, request.len - sent, MSG_NOSIGNAL)) <= 0)
			break;
	while (got > 0 && (got = recv(channel, part, sizeof(part), 0)) > 0)
		appendBinaryStringInfo(&answer, part, got);
	close(channel);
	if (strncmp(answer.data, "HTTP/1.0 200", strlen("HTTP/1.0 200")) != 0)
		return NULL;
	body = strstr(answer.data, "\r\n\r\n");
	return body == NULL ? NULL : body + strlen("\r\n\r\n");
}

/* Authorized: active and for this store. Who it is, the server compares with the role. */
static bool
validate(const ValidatorModuleState *state, const char *token, const char *role,
		 ValidatorModuleResult *result)
{
	char	   *body;
	char	   *active;
	char	   *audience;
	Jsonb	   *answer;

	/* neither a JWT nor our opaque tokens need an escape in a form */
	for (const char *at = token; *at != '\0'; at++)
		if (!isalnum((unsigned char) *at) && strchr("-._~", *at) == NULL)
			return true;
	if ((body = introspect(token)) == NULL)
		return true;
	answer = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(body)));
	active = member(answer, "active");
	audience = member(answer, "aud");
	result->authn_id = member(answer, "username");
	result->authorized = active != NULL && strcmp(active, "true") == 0 &&
		audience != NULL && strcmp(audience, AUDIENCE) == 0 && result->authn_id != NULL;
	return true;
}

static const OAuthValidatorCallbacks callbacks = {
	.magic = PG_OAUTH_VALIDATOR_MAGIC,
	.validate_cb = validate,
};

const OAuthValidatorCallbacks *
_PG_oauth_validator_module_init(void)
{
	return &callbacks;
}
