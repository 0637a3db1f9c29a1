// The parts of libcurl that Swift cannot call: functions with a variable argument list, and a union inside a message.
//
// Each function is one variadic call with the type that the option documents. Passing an option of another type is the
// caller's fault and undefined, as in C.

#ifndef QSM_CCURL_H
#define QSM_CCURL_H

#include <curl/curl.h>

/// Signature of the read, write and header callbacks.
typedef size_t (*qsm_curl_data_callback)(char *_Nullable bytes, size_t size, size_t count, void *_Nullable context);
/// Signature of the seek callback.
typedef int (*qsm_curl_seek_callback)(void *_Nullable context, curl_off_t offset, int origin);

CURLcode qsm_curl_set_long(CURL *_Nonnull handle, CURLoption option, long value);
CURLcode qsm_curl_set_offset(CURL *_Nonnull handle, CURLoption option, curl_off_t value);
/// libcurl copies the text.
CURLcode qsm_curl_set_string(CURL *_Nonnull handle, CURLoption option, const char *_Nullable value);
/// For lists, contexts and buffers: the pointer must stay valid until the transfer ends.
CURLcode qsm_curl_set_pointer(CURL *_Nonnull handle, CURLoption option, const void *_Nullable value);
CURLcode qsm_curl_set_data_callback(
    CURL *_Nonnull handle, CURLoption option, qsm_curl_data_callback _Nullable callback);
CURLcode qsm_curl_set_seek_callback(CURL *_Nonnull handle, qsm_curl_seek_callback _Nullable callback);
/// Refuses every scheme but http and https.
CURLcode qsm_curl_allow_only_http(CURL *_Nonnull handle);

CURLcode qsm_curl_get_long(CURL *_Nonnull handle, CURLINFO info, long *_Nonnull value);

CURLMcode qsm_curl_multi_set_long(CURLM *_Nonnull multi, CURLMoption option, long value);
/// The next transfer that has ended, or NULL; `result` then says how.
CURL *_Nullable qsm_curl_multi_next_ended(CURLM *_Nonnull multi, CURLcode *_Nonnull result);

#endif
