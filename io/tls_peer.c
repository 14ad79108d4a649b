/* SPDX-License-Identifier: Apache-2.0
 *
 * Text of certificates: names and dates. Whatever stands in a certificate is somebody else's input,
 * so bytes that could forge a line are escaped. See tls.h.
 */
#include "io/tls_internal.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <stdio.h>

/* Like snprintf over several steps: counts what does not fit. */
struct text {
    char *at;
    size_t cap;
    size_t len;
};

static void text_put(struct text *text, char byte) {
    if (text->len + 1 < text->cap) {
        text->at[text->len] = byte;
    }
    text->len++;
}

static void text_str(struct text *text, const char *s) {
    for (; *s != 0; s++) {
        text_put(text, *s);
    }
}

static void text_escaped(struct text *text, const uint8_t *bytes, size_t len) {
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        uint8_t byte = bytes[i];
        if (byte < 0x20 || byte == 0x7f || byte == '\\') {
            text_str(text, "\\x");
            text_put(text, hex[byte >> 4]);
            text_put(text, hex[byte & 15]);
        } else {
            text_put(text, (char)byte);
        }
    }
}

static void text_end(struct text *text) {
    if (text->cap > 0) {
        text->at[wring__min_size(text->len, text->cap - 1)] = 0;
    }
}

static void name_begin(struct text *text, char separator, const char *kind) {
    if (text->len > 0) {
        text_put(text, separator);
        if (separator != '\n') {
            text_put(text, ' ');
        }
    }
    text_str(text, kind);
}

static void common_names_write(struct text *text, char separator, const X509 *cert) {
    const X509_NAME *subject = X509_get_subject_name(cert);
    int i = -1;
    while ((i = X509_NAME_get_index_by_NID(subject, NID_commonName, i)) >= 0) {
        uint8_t *utf8 = NULL;
        int len =
            ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, i)));
        if (len >= 0) {
            name_begin(text, separator, "CN:");
            text_escaped(text, utf8, (size_t)len);
            OPENSSL_free(utf8);
        }
    }
}

static void ip_write(struct text *text, char separator, const ASN1_OCTET_STRING *ip) {
    char address[INET6_ADDRSTRLEN];
    int len = ASN1_STRING_length(ip);
    int family = len == 4 ? AF_INET : AF_INET6;
    if ((len == 4 || len == 16) &&
        inet_ntop(family, ASN1_STRING_get0_data(ip), address, sizeof address) != NULL) {
        name_begin(text, separator, "IP:");
        text_str(text, address);
    }
}

static void alternative_write(struct text *text, char separator, const GENERAL_NAME *name) {
    const char *kind;
    switch (name->type) {
    case GEN_DNS:
        kind = "DNS:";
        break;
    case GEN_EMAIL:
        kind = "EMAIL:";
        break;
    case GEN_URI:
        kind = "URI:";
        break;
    case GEN_IPADD:
        ip_write(text, separator, name->d.iPAddress);
        return;
    default: /* directory names and the like: nobody is known by them here */
        return;
    }
    name_begin(text, separator, kind);
    text_escaped(text, ASN1_STRING_get0_data(name->d.ia5), (size_t)ASN1_STRING_length(name->d.ia5));
}

size_t wring__tls_names_write(const X509 *cert, char separator, char *buffer, size_t cap) {
    struct text text = {buffer, cap, 0};
    common_names_write(&text, separator, cert);
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        alternative_write(&text, separator, sk_GENERAL_NAME_value(names, i));
    }
    GENERAL_NAMES_free(names);
    text_end(&text);
    wring__tls_errors_drain();
    return text.len;
}

void wring__tls_time_write(const ASN1_TIME *time, char *text, size_t cap) {
    struct tm utc;
    if (ASN1_TIME_to_tm(time, &utc) != 1 ||
        strftime(text, cap, "%Y-%m-%d %H:%M:%S UTC", &utc) == 0) {
        snprintf(text, cap, "an unreadable date");
        wring__tls_errors_drain();
    }
}

size_t wring__tls_peer_name(const wring__tls *tls, char *text, size_t cap) {
    if (wring__tls_info_of(tls).peer_verified) {
        return wring__tls_names_write(SSL_get0_peer_certificate(tls->ssl), '\n', text, cap);
    }
    if (cap > 0) {
        text[0] = 0;
    }
    return 0;
}

wring_bytes wring__tls_alpn(const wring__tls *tls) {
    const uint8_t *name = NULL;
    unsigned len = 0;
    SSL_get0_alpn_selected(tls->ssl, &name, &len);
    return wring_bytes_of(name, len);
}

wring_tls_info wring__tls_info_of(const wring__tls *tls) {
    wring_tls_info info = {.struct_size = sizeof info, .peer_name = ""};
    info.alpn = wring__tls_alpn(tls);
    info.version = SSL_get_version(tls->ssl);
    info.cipher = SSL_get_cipher_name(tls->ssl);
    if (tls->context->is_server) {
        info.server_name = SSL_get_servername(tls->ssl, TLSEXT_NAMETYPE_host_name);
    }
    info.resumed = SSL_session_reused(tls->ssl) == 1;
    info.peer_verified = tls->context->verifies && tls->state != WRING__TLS_HANDSHAKING &&
                         SSL_get0_peer_certificate(tls->ssl) != NULL &&
                         SSL_get_verify_result(tls->ssl) == X509_V_OK;
    return info;
}
