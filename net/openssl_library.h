/* The functions of OpenSSL that net uses, as in `openssl->SSL_CTX_new(…)`; see net/library.h. A macro of its
 * headers, such as SSL_CTX_set_mode, calls by name and cannot be used: what it stands for can. */
#ifndef NET_OPENSSL_LIBRARY_H
#define NET_OPENSSL_LIBRARY_H

#include "base/err.h"
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define OPENSSL_FUNCTIONS(X)                                                                                 \
    X(ASN1_STRING_to_UTF8)                                                                                   \
    X(ASN1_TIME_set)                                                                                         \
    X(ASN1_TIME_to_tm)                                                                                       \
    X(BIO_ctrl)                                                                                              \
    X(BIO_free)                                                                                              \
    X(BIO_new)                                                                                               \
    X(BIO_new_mem_buf)                                                                                       \
    X(BIO_s_mem)                                                                                             \
    X(BIO_s_secmem)                                                                                          \
    X(BN_bin2bn)                                                                                             \
    X(BN_free)                                                                                               \
    X(BN_to_ASN1_INTEGER)                                                                                    \
    X(CRYPTO_free)                                                                                           \
    X(ERR_clear_error)                                                                                       \
    X(ERR_error_string_n)                                                                                    \
    X(ERR_peek_last_error)                                                                                   \
    X(EVP_DecodeFinal)                                                                                       \
    X(EVP_DecodeInit)                                                                                        \
    X(EVP_DecodeUpdate)                                                                                      \
    X(EVP_ENCODE_CTX_free)                                                                                   \
    X(EVP_ENCODE_CTX_new)                                                                                    \
    X(EVP_EncodeBlock)                                                                                       \
    X(EVP_PKEY_Q_keygen)                                                                                     \
    X(EVP_PKEY_free)                                                                                         \
    X(EVP_sha256)                                                                                            \
    X(HMAC)                                                                                                  \
    X(OPENSSL_sk_num)                                                                                        \
    X(OPENSSL_sk_value)                                                                                      \
    X(PEM_read_bio_PrivateKey)                                                                               \
    X(PEM_read_bio_X509)                                                                                     \
    X(PEM_read_bio_X509_AUX)                                                                                 \
    X(PEM_write_bio_PrivateKey)                                                                              \
    X(PEM_write_bio_X509)                                                                                    \
    X(RAND_bytes)                                                                                            \
    X(SSL_CTX_check_private_key)                                                                             \
    X(SSL_CTX_ctrl)                                                                                          \
    X(SSL_CTX_free)                                                                                          \
    X(SSL_CTX_get_cert_store)                                                                                \
    X(SSL_CTX_new)                                                                                           \
    X(SSL_CTX_set_alpn_select_cb)                                                                            \
    X(SSL_CTX_set_cert_verify_callback)                                                                      \
    X(SSL_CTX_set_default_verify_paths)                                                                      \
    X(SSL_CTX_set_num_tickets)                                                                               \
    X(SSL_CTX_set_options)                                                                                   \
    X(SSL_CTX_set_verify)                                                                                    \
    X(SSL_CTX_use_PrivateKey)                                                                                \
    X(SSL_CTX_use_certificate)                                                                               \
    X(SSL_accept)                                                                                            \
    X(SSL_free)                                                                                              \
    X(SSL_get0_peer_certificate)                                                                             \
    X(SSL_get_error)                                                                                         \
    X(SSL_get_peer_cert_chain)                                                                               \
    X(SSL_get_verify_result)                                                                                 \
    X(SSL_new)                                                                                               \
    X(SSL_read)                                                                                              \
    X(SSL_select_next_proto)                                                                                 \
    X(SSL_set_fd)                                                                                            \
    X(SSL_shutdown)                                                                                          \
    X(SSL_write)                                                                                             \
    X(TLS_client_method)                                                                                     \
    X(TLS_server_method)                                                                                     \
    X(X509V3_EXT_conf_nid)                                                                                   \
    X(X509V3_set_ctx)                                                                                        \
    X(X509_EXTENSION_free)                                                                                   \
    X(X509_NAME_ENTRY_get_data)                                                                              \
    X(X509_NAME_add_entry_by_txt)                                                                            \
    X(X509_NAME_get_entry)                                                                                   \
    X(X509_NAME_get_index_by_NID)                                                                            \
    X(X509_STORE_CTX_free)                                                                                   \
    X(X509_STORE_CTX_get0_chain)                                                                             \
    X(X509_STORE_CTX_init)                                                                                   \
    X(X509_STORE_CTX_new)                                                                                    \
    X(X509_STORE_CTX_set_error)                                                                              \
    X(X509_STORE_CTX_set_purpose)                                                                            \
    X(X509_STORE_add_cert)                                                                                   \
    X(X509_STORE_free)                                                                                       \
    X(X509_STORE_new)                                                                                        \
    X(X509_STORE_set_flags)                                                                                  \
    X(X509_add_ext)                                                                                          \
    X(X509_check_host)                                                                                       \
    X(X509_check_ip_asc)                                                                                     \
    X(X509_check_issued)                                                                                     \
    X(X509_check_private_key)                                                                                \
    X(X509_free)                                                                                             \
    X(X509_get0_notAfter)                                                                                    \
    X(X509_get0_notBefore)                                                                                   \
    X(X509_get0_pubkey)                                                                                      \
    X(X509_get_serialNumber)                                                                                 \
    X(X509_get_subject_name)                                                                                 \
    X(X509_getm_notAfter)                                                                                    \
    X(X509_getm_notBefore)                                                                                   \
    X(X509_new)                                                                                              \
    X(X509_set_issuer_name)                                                                                  \
    X(X509_set_pubkey)                                                                                       \
    X(X509_set_version)                                                                                      \
    X(X509_sign)                                                                                             \
    X(X509_verify)                                                                                           \
    X(X509_verify_cert)                                                                                      \
    X(X509_verify_cert_error_string)

struct openssl_library {
#define OPENSSL_FUNCTIONS_MEMBER(name) __typeof__(name) *(name);
    OPENSSL_FUNCTIONS(OPENSSL_FUNCTIONS_MEMBER)
#undef OPENSSL_FUNCTIONS_MEMBER
};

/* NULL until openssl_library_load has returned 0. Errors are those of library_open. */
extern const struct openssl_library *openssl;
int openssl_library_load(struct err *err);
/* Puts "what: " and OpenSSL's last error into err, forgets that error, and returns code. */
int openssl_error(struct err *err, int code, const char *what);

#endif
