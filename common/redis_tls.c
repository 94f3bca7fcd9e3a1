#include "common/redis_tls.h"

#include <hiredis/hiredis.h>

#ifdef PGUSHER_TLS
#include <arpa/inet.h>
#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "common/sigpipe.h"

int redis_tls_check(struct err *err)
{
    (void)err;
    return 0;
}

static const char *text_of(unsigned long error)
{
    return ERR_GET_LIB(error) == ERR_LIB_SYS ? strerror(ERR_GET_REASON(error))
                                             : ERR_reason_error_string(error);
}

static int fail(struct err *err, enum status status, const char *what, const char *which)
{
    const char *reason = text_of(ERR_peek_error());

    err_set(err, status, "TLS: %s%s: %s", what, which ? which : "", reason ? reason : "for no reason given");
    return -1;
}

static int load_files(SSL_CTX *tls, const struct redis_url *url, struct err *err)
{
    if (url->cacert && SSL_CTX_load_verify_locations(tls, url->cacert, NULL) != 1)
        return fail(err, ST_CONFIG, "cannot use cacert ", url->cacert);
    if (!url->cacert && SSL_CTX_set_default_verify_paths(tls) != 1)
        return fail(err, ST_CONFIG, "the system's certificates cannot be used", NULL);
    if (url->cert && SSL_CTX_use_certificate_chain_file(tls, url->cert) != 1)
        return fail(err, ST_CONFIG, "cannot use cert ", url->cert);
    if (url->key && SSL_CTX_use_PrivateKey_file(tls, url->key, SSL_FILETYPE_PEM) != 1)
        return fail(err, ST_CONFIG, "cannot use key ", url->key);
    return 0;
}

static bool is_ip(const char *name)
{
    unsigned char address[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

static int expect_name(SSL *ssl, const char *name, struct err *err)
{
    if (is_ip(name)) {
        if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1)
            return 0;
    } else if (SSL_set1_host(ssl, name) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1) {
        return 0;
    }
    return fail(err, ST_CONFIG, "no certificate can hold the name ", name);
}

/* In a verdict on a certificate is more than in "certificate verify failed". */
static const char *reason_of(const SSL *ssl)
{
    long verdict = SSL_get_verify_result(ssl);

    return verdict == X509_V_OK ? text_of(ERR_peek_last_error()) : X509_verify_cert_error_string(verdict);
}

const char *redis_tls_why(const struct redisContext *context)
{
    const char *reason = context->privdata ? reason_of(context->privdata) : NULL;

    return reason ? reason : context->errstr;
}

void redis_tls_forget(void)
{
    ERR_clear_error();
}

/* A server that is gone must not kill a program that does not ignore SIGPIPE. */
static int shake_hands(struct redisContext *context, SSL *ssl)
{
    struct sigpipe_guard guard;
    int result;

    sigpipe_begin(&guard);
    result = redisInitiateSSL(context, ssl) == REDIS_OK ? 0 : -1;
    sigpipe_end(&guard);
    return result;
}

int redis_tls_wrap(struct redisContext *context, const struct redis_url *url, struct err *err)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    SSL *ssl = NULL;
    int result = -1;

    if (!tls)
        return fail(err, ST_AGAIN, "out of memory", NULL);
    redis_tls_forget();
    SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    if (load_files(tls, url, err) == 0) {
        ssl = SSL_new(tls);
        if (!ssl)
            fail(err, ST_AGAIN, "out of memory", NULL);
    }
    if (ssl && expect_name(ssl, url->sni ? url->sni : url->addresses[0].host, err) == 0) {
        context->privdata = ssl;
        result = shake_hands(context, ssl);
        if (result != 0)
            err_set(err, ST_AGAIN, "TLS: %s", redis_tls_why(context));
    }
    if (result != 0) {
        SSL_free(ssl); /* otherwise the connection's */
        context->privdata = NULL;
    }
    SSL_CTX_free(tls);
    return result;
}

#else

int redis_tls_check(struct err *err)
{
    err_set(err, ST_CONFIG,
            "rediss:// needs TLS, which hiredis %d.%d.%d, that this program was built with, has not; "
            "1.0 and later have it in hiredis_ssl",
            HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH);
    return -1;
}

int redis_tls_wrap(struct redisContext *context, const struct redis_url *url, struct err *err)
{
    (void)context, (void)url;
    return redis_tls_check(err);
}

const char *redis_tls_why(const struct redisContext *context)
{
    return context->errstr;
}

void redis_tls_forget(void)
{
}

#endif
