/* SPDX-License-Identifier: Apache-2.0
 *
 * From OpenSSL's error queue to a typed result and a sentence: whose fault, which certificate,
 * which alert. See tls.h.
 */
#include "io/tls_internal.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdarg.h>
#include <stdio.h>

#define REASON_BYTES 320
#define NAMES_BYTES  160

unsigned long wring__tls_errors_drain(void) {
    unsigned long best = 0;
    unsigned long code;
    bool out_of_memory = false;
    /* The first entry of the TLS library names the cause; below it are the ciphers' own troubles,
     * above it what followed. Lack of memory explains all others. */
    while ((code = ERR_get_error()) != 0) {
        bool better = ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_LIB(best) != ERR_LIB_SSL;
        bool no_memory = ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE;
        if (best == 0 || no_memory || (better && !out_of_memory)) {
            best = code;
        }
        out_of_memory |= no_memory;
    }
    return best;
}

const char *wring__tls_error_text(unsigned long code) {
    const char *text = code == 0 ? NULL : ERR_reason_error_string(code);
    return text == NULL ? "no reason given" : text;
}

void wring__tls_set_reason(wring__tls *tls, const char *format, ...) {
    if (tls->reason != NULL) {
        return; /* the first one is the nearest to the cause */
    }
    tls->reason = malloc(REASON_BYTES);
    if (tls->reason == NULL) {
        return; /* wring__tls_reason falls back to the result's text */
    }
    char sentence[REASON_BYTES]; /* with names of certificates, which are a stranger's bytes */
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    (void)wring_text_printable(wring_str(sentence), tls->reason, REASON_BYTES);
}

/* ---- certificates ---------------------------------------------------------------------------- */

static wring_result certificate_result(long verify_result) {
    switch (verify_result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD:
    case X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD:
        return WRING_ERR_TLS_CERTIFICATE_EXPIRED;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return WRING_ERR_TLS_SELF_SIGNED;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_UNTRUSTED:
        return WRING_ERR_TLS_UNKNOWN_CA;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return WRING_ERR_TLS_WRONG_HOST;
    case X509_V_ERR_OUT_OF_MEM:
        return WRING_ERR_NO_MEMORY;
    default:
        return WRING_ERR_TLS_BAD_CERTIFICATE;
    }
}

static void certificate_reason(wring__tls *tls, const X509 *cert, int verify_result) {
    char names[NAMES_BYTES] = "";
    char when[64] = "";
    if (cert == NULL) {
        wring__tls_set_reason(tls, "the peer's certificate: %s",
                              X509_verify_cert_error_string(verify_result));
        return;
    }
    wring__tls_names_write(cert, ',', names, sizeof names);
    switch (verify_result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        wring__tls_time_write(X509_get0_notAfter(cert), when, sizeof when);
        wring__tls_set_reason(tls, "the certificate of '%s' expired on %s", names, when);
        return;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        wring__tls_time_write(X509_get0_notBefore(cert), when, sizeof when);
        wring__tls_set_reason(tls, "the certificate of '%s' is not valid before %s", names, when);
        return;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        wring__tls_set_reason(tls, "the certificate is for '%s', not for the host '%s'", names,
                              tls->client == NULL ? "" : tls->client->server_name);
        return;
    default:
        wring__tls_set_reason(tls, "the certificate of '%s': %s", names,
                              X509_verify_cert_error_string(verify_result));
        return;
    }
}

/* Changes no verdict of OpenSSL's; takes down which certificate it was about, as nothing keeps
 * the chain of a handshake that failed. */
int wring__tls_on_verify(int ok, X509_STORE_CTX *store) {
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    wring__tls *tls = ssl == NULL ? NULL : wring__tls_of(ssl);
    if (ok != 1 && tls != NULL) {
        certificate_reason(tls, X509_STORE_CTX_get_current_cert(store),
                           X509_STORE_CTX_get_error(store));
    }
    return ok;
}

/* ---- everything else ------------------------------------------------------------------------- */

static wring_result alert_result(int alert) {
    switch (alert) {
    case SSL_AD_NO_CERTIFICATE:
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_CERTIFICATE_REQUIRED:
        return WRING_ERR_TLS_CERTIFICATE_REFUSED;
    case SSL_AD_HANDSHAKE_FAILURE:
    case SSL_AD_PROTOCOL_VERSION:
    case SSL_AD_INSUFFICIENT_SECURITY:
    case SSL_AD_NO_APPLICATION_PROTOCOL:
        return WRING_ERR_TLS_NO_SHARED;
    default:
        return WRING_ERR_TLS_ALERT;
    }
}

static wring_result reason_result(int reason, bool handshaking) {
    switch (reason) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
        return WRING_ERR_TLS_NOT_TLS;
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_UNKNOWN_PROTOCOL:
        return handshaking ? WRING_ERR_TLS_NOT_TLS : WRING_ERR_TLS_PROTOCOL;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_CIPHERS_AVAILABLE:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_UNSUPPORTED_SSL_VERSION:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_NO_SHARED_GROUPS:
    case SSL_R_NO_SUITABLE_GROUPS:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_APPLICATION_PROTOCOL:
        return WRING_ERR_TLS_NO_SHARED;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return WRING_ERR_TLS_NO_CERTIFICATE;
    case ERR_R_MALLOC_FAILURE:
        return WRING_ERR_NO_MEMORY;
    default:
        return WRING_ERR_TLS_PROTOCOL;
    }
}

/* OpenSSL 3.0 has no name for those of TLS 1.3, but the errors it makes of them end in it:
 * "tlsv13 alert certificate required". */
static const char *alert_name(int alert, unsigned long code) {
    static const char before[] = "alert ";
    const char *name = SSL_alert_desc_string_long(alert);
    const char *text = strstr(wring__tls_error_text(code), before);
    return strcmp(name, "unknown") == 0 && text != NULL ? text + sizeof before - 1 : name;
}

wring_result wring__tls_verdict(wring__tls *tls) {
    bool handshaking = tls->state == WRING__TLS_HANDSHAKING;
    unsigned long code = wring__tls_errors_drain();
    int reason = ERR_GET_REASON(code);
    if (tls->out_of_memory) {
        wring__tls_set_reason(tls, "out of memory for the bytes to send");
        return WRING_ERR_NO_MEMORY;
    }
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED && ERR_GET_LIB(code) == ERR_LIB_SSL) {
        long verify_result = SSL_get_verify_result(tls->ssl);
        certificate_reason(tls, NULL, (int)verify_result);
        return certificate_result(verify_result);
    }
    if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET &&
        reason <= SSL_AD_REASON_OFFSET + UINT8_MAX) {
        int alert = reason - SSL_AD_REASON_OFFSET;
        wring__tls_set_reason(tls, "the peer ended TLS with the alert '%s' (%d)",
                              alert_name(alert, code), alert);
        return alert_result(alert);
    }
    wring_result result = reason_result(reason, handshaking);
    if (reason == SSL_R_HTTP_REQUEST) {
        wring__tls_set_reason(tls, "the client speaks plain HTTP to a TLS port");
    } else {
        wring__tls_set_reason(tls, "%s%s: %s", wring_result_text(result),
                              handshaking ? ", in the handshake" : "", wring__tls_error_text(code));
    }
    return result;
}

size_t wring__tls_reason(const wring__tls *tls, char *text, size_t cap) {
    const char *reason = "";
    if (tls->state == WRING__TLS_FAILED) {
        reason = tls->reason != NULL ? tls->reason : wring_result_text((wring_result)tls->result);
    }
    int len = snprintf(text, cap, "%s", reason);
    return len < 0 ? 0 : (size_t)len;
}
