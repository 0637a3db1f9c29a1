import CCurl

/// The library under the client.
package enum TransportLibrary {
    /// e.g. `libcurl/7.88.1 OpenSSL/3.0.15 zlib/1.2.13`.
    package static var version: String { String(cString: curl_version()) }
}
