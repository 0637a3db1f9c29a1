import CCurl
import Foundation
import Synchronization

/// Options that every transfer of one client shares.
struct CurlSettings: Sendable {
    var address: CoordinatorAddress
    var connectTimeout: Duration
    var stallTimeout: Duration
    /// File and folder of certificate authorities; nil: the system's.
    var authorityFile: String?
    var authorityFolder: String?

    init(address: CoordinatorAddress, configuration: ClientConfiguration, environment: [String: String]) {
        self.address = address
        connectTimeout = configuration.connectTimeout
        stallTimeout = configuration.stallTimeout
        // The names that curl, OpenSSL and Python's requests read.
        authorityFile = environment["CURL_CA_BUNDLE"] ?? environment["SSL_CERT_FILE"]
        authorityFolder = environment["SSL_CERT_DIR"]
    }
}

/// One exchange in flight. After `CurlLoop` has taken it, only the loop's thread touches it.
final class CurlTransfer {
    let id: UInt64
    private let request: HTTPRequest
    private let settings: CurlSettings
    private let continuation: CheckedContinuation<HTTPAnswer, any Error>

    private(set) var handle: UnsafeMutableRawPointer?
    private var headerList: UnsafeMutablePointer<curl_slist>?
    private var answer = HTTPAnswer()
    private var bodyDescriptor: Int32 = -1
    private var bodyPosition: Int64 = 0
    /// What a callback of ours refused to go on for; libcurl only knows that it did.
    private var callbackError: (any Error)?

    /// A body gathered in memory may not grow beyond this.
    private static let memoryLimit = 256 << 20
    private static let bufferBytes = 256 << 10

    init(
        id: UInt64, request: HTTPRequest, settings: CurlSettings,
        continuation: CheckedContinuation<HTTPAnswer, any Error>
    ) {
        self.id = id
        self.request = request
        self.settings = settings
        self.continuation = continuation
    }

    private var url: String { settings.address.prefix + request.target }

    // MARK: Start

    /// Makes the easy handle. The loop adds it to its multi handle.
    func prepare() throws -> UnsafeMutableRawPointer {
        guard let handle = curl_easy_init() else { throw unusable("libcurl has no memory for a transfer") }
        self.handle = handle
        try set(CURLOPT_URL, url)
        try set(CURLOPT_CUSTOMREQUEST, request.method.rawValue)
        try check(qsm_curl_allow_only_http(handle))
        // Signals must not be used for timeouts in a program with threads.
        try set(CURLOPT_NOSIGNAL, 1)
        try set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
        try set(CURLOPT_TCP_KEEPALIVE, 1)
        try set(CURLOPT_BUFFERSIZE, Self.bufferBytes)
        try set(CURLOPT_UPLOAD_BUFFERSIZE, Self.bufferBytes)
        try set(CURLOPT_CONNECTTIMEOUT_MS, settings.connectTimeout.wholeMilliseconds)
        if let timeout = request.timeout {
            try set(CURLOPT_TIMEOUT_MS, timeout.wholeMilliseconds)
        } else {
            try set(CURLOPT_LOW_SPEED_LIMIT, 1)
            try set(CURLOPT_LOW_SPEED_TIME, max(1, settings.stallTimeout.wholeMilliseconds / 1000))
        }
        if let socket = settings.address.unixSocket { try set(CURLOPT_UNIX_SOCKET_PATH, socket) }
        if settings.address.isLocal { try set(CURLOPT_NOPROXY, "*") }
        if let file = settings.authorityFile { try set(CURLOPT_CAINFO, file) }
        if let folder = settings.authorityFolder { try set(CURLOPT_CAPATH, folder) }
        try prepareBody(handle)
        try prepareHeaders(handle)
        try prepareCallbacks(handle)
        return handle
    }

    private func prepareBody(_ handle: UnsafeMutableRawPointer) throws {
        switch request.body {
        case .none:
            if request.method == .head { try set(CURLOPT_NOBODY, 1) }
            if request.method == .post || request.method == .put || request.method == .patch {
                try check(qsm_curl_set_offset(handle, CURLOPT_POSTFIELDSIZE_LARGE, 0))
                try set(CURLOPT_COPYPOSTFIELDS, "")
            }
        case .bytes(let data):
            // The size first: libcurl copies that many bytes when it is given the pointer.
            try check(qsm_curl_set_offset(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(data.count)))
            try data.withUnsafeBytes { try check(qsm_curl_set_pointer(handle, CURLOPT_COPYPOSTFIELDS, $0.baseAddress)) }
        case .file(let path, let offset, let length):
            bodyDescriptor = open(path, O_RDONLY | O_CLOEXEC)
            guard bodyDescriptor >= 0 else {
                throw ClientError.fileFailed(path: path, doing: "opening", reason: String(cString: strerror(errno)))
            }
            bodyPosition = offset
            try set(CURLOPT_UPLOAD, 1)
            try set(CURLOPT_CUSTOMREQUEST, request.method.rawValue)
            try check(qsm_curl_set_offset(handle, CURLOPT_INFILESIZE_LARGE, curl_off_t(length)))
        }
    }

    private func prepareHeaders(_ handle: UnsafeMutableRawPointer) throws {
        // An empty `Expect:` keeps libcurl from waiting a second for a "100 Continue" that few servers send.
        for header in request.headers + [("Expect", "")] {
            let line = header.value.isEmpty ? "\(header.name):" : "\(header.name): \(header.value)"
            guard !line.utf8.contains(where: { $0 == 13 || $0 == 10 || $0 == 0 }) else {
                throw unusable("the header \(header.name) holds a line break")
            }
            guard let longer = curl_slist_append(headerList, line) else { throw unusable("out of memory") }
            headerList = longer
        }
        try check(qsm_curl_set_pointer(handle, CURLOPT_HTTPHEADER, headerList))
    }

    private func prepareCallbacks(_ handle: UnsafeMutableRawPointer) throws {
        // The loop keeps this object alive until it has removed the handle.
        let context = Unmanaged.passUnretained(self).toOpaque()
        try check(qsm_curl_set_pointer(handle, CURLOPT_HEADERDATA, context))
        try check(
            qsm_curl_set_data_callback(handle, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
                CurlTransfer.at(context).takeHeader(UnsafeRawBufferPointer(start: bytes, count: size * count))
                return size * count
            })
        try check(qsm_curl_set_pointer(handle, CURLOPT_WRITEDATA, context))
        try check(
            qsm_curl_set_data_callback(handle, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
                let piece = UnsafeRawBufferPointer(start: bytes, count: size * count)
                // Any other number than the one given ends the transfer.
                return CurlTransfer.at(context).takeBody(piece) ? piece.count : piece.count + 1
            })
        guard bodyDescriptor >= 0 else { return }
        try check(qsm_curl_set_pointer(handle, CURLOPT_READDATA, context))
        try check(
            qsm_curl_set_data_callback(handle, CURLOPT_READFUNCTION) { bytes, size, count, context in
                CurlTransfer.at(context).giveBody(UnsafeMutableRawBufferPointer(start: bytes, count: size * count))
            })
        // Used when a kept connection turns out dead and the request is sent again on a new one.
        try check(qsm_curl_set_pointer(handle, CURLOPT_SEEKDATA, context))
        try check(
            qsm_curl_set_seek_callback(handle) { context, offset, origin in
                guard let context else { return CURL_SEEKFUNC_FAIL }
                return CurlTransfer.at(context).seekBody(to: Int64(offset), origin: origin)
            })
    }

    private static func at(_ context: UnsafeMutableRawPointer?) -> CurlTransfer {
        guard let context else { preconditionFailure("libcurl lost the context it was given") }
        return Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue()
    }

    // MARK: Callbacks

    private func takeHeader(_ bytes: UnsafeRawBufferPointer) {
        let line = String(decoding: bytes, as: UTF8.self)
        if line.hasPrefix("HTTP/") {
            // A new status line: what came before was an interim answer.
            answer.headers = [:]
            answer.status = line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        } else if let colon = line.firstIndex(of: ":") {
            let value = line[line.index(after: colon)...].trimmingCharacters(in: .whitespacesAndNewlines)
            answer.headers[line[..<colon].lowercased()] = value
        }
    }

    private func takeBody(_ piece: UnsafeRawBufferPointer) -> Bool {
        if let mayContinue = request.mayContinue, !mayContinue() { return refuse(ClientError.abandoned(url: url)) }
        if answer.isSuccess, let receive = request.receive {
            do {
                try receive(answer, piece)
            } catch {
                return refuse(error)
            }
            answer.receivedBytes += Int64(piece.count)
            return true
        }
        guard answer.body.count + piece.count <= Self.memoryLimit else {
            return refuse(unusable("the answer is larger than \(Self.memoryLimit >> 20) MiB"))
        }
        answer.body.append(contentsOf: piece)
        return true
    }

    private func refuse(_ error: any Error) -> Bool {
        callbackError = error
        return false
    }

    private func giveBody(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
        guard case .file(let path, let offset, let length) = request.body else { return 0 }
        if let mayContinue = request.mayContinue, !mayContinue() {
            callbackError = ClientError.abandoned(url: url)
            return Int(CURL_READFUNC_ABORT)
        }
        let wanted = min(buffer.count, Int(offset + length - bodyPosition))
        guard wanted > 0 else { return 0 }
        while true {
            let count = pread(bodyDescriptor, buffer.baseAddress, wanted, off_t(bodyPosition))
            if count > 0 {
                bodyPosition += Int64(count)
                return count
            }
            if count < 0, errno == EINTR { continue }
            let reason = count == 0 ? "the file became shorter" : String(cString: strerror(errno))
            callbackError = ClientError.fileFailed(path: path, doing: "reading", reason: reason)
            return Int(CURL_READFUNC_ABORT)
        }
    }

    private func seekBody(to position: Int64, origin: Int32) -> Int32 {
        guard case .file(_, let offset, let length) = request.body, origin == SEEK_SET, (0...length).contains(position)
        else { return CURL_SEEKFUNC_FAIL }
        bodyPosition = offset + position
        return CURL_SEEKFUNC_OK
    }

    // MARK: End

    /// Says how the transfer ended; the handle is no longer in the multi handle.
    func finish(_ code: CURLcode) {
        let failure = code == CURLE_OK ? nil : self.failure(code)
        release()
        if let failure { continuation.resume(throwing: failure) } else { continuation.resume(returning: answer) }
    }

    func fail(_ error: any Error) {
        release()
        continuation.resume(throwing: error)
    }

    private func release() {
        if let handle { curl_easy_cleanup(handle) }
        handle = nil
        curl_slist_free_all(headerList)
        headerList = nil
        if bodyDescriptor >= 0 { close(bodyDescriptor) }
        bodyDescriptor = -1
    }

    private func failure(_ code: CURLcode) -> any Error {
        if let callbackError { return callbackError }
        var requestBytes = 0
        if let handle { _ = qsm_curl_get_long(handle, CURLINFO_REQUEST_SIZE, &requestBytes) }
        let cause: TransportFailure.Cause =
            switch code {
            case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT: .unreachable
            case CURLE_OPERATION_TIMEDOUT: requestBytes == 0 ? .unreachable : .timedOut
            case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
                CURLE_SSL_ISSUER_ERROR:
                .untrusted
            case CURLE_SEND_ERROR, CURLE_RECV_ERROR, CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE, CURLE_SSL_CONNECT_ERROR,
                CURLE_WEIRD_SERVER_REPLY, CURLE_HTTP2, CURLE_AGAIN:
                .interrupted
            default: .unusable
            }
        return TransportFailure(
            cause: cause, reason: String(cString: curl_easy_strerror(code)), receivedBytes: answer.receivedBytes)
    }

    // MARK: Options

    private func set(_ option: CURLoption, _ value: Int) throws {
        guard let handle else { return }
        try check(qsm_curl_set_long(handle, option, value))
    }

    private func set(_ option: CURLoption, _ value: String) throws {
        guard let handle else { return }
        try check(qsm_curl_set_string(handle, option, value))
    }

    private func check(_ code: CURLcode) throws {
        guard code == CURLE_OK else { throw unusable(String(cString: curl_easy_strerror(code))) }
    }

    private func unusable(_ reason: String) -> TransportFailure {
        TransportFailure(cause: .unusable, reason: reason, receivedBytes: 0)
    }
}

extension Duration {
    /// Rounded up, so that a short wait never becomes none.
    var wholeMilliseconds: Int {
        let (seconds, attoseconds) = components
        return Int(seconds) * 1000 + Int((attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}
