import Foundation
import Glibc
import Synchronization

/// A real HTTP/1.1 server on a loopback port that answers as a closure says, byte for byte: for the broken connections
/// and odd answers that a sound server never gives.
final class ClientTestServer: Sendable {
    struct Request: Sendable {
        var method: String
        var target: String
        /// Names in lower case.
        var headers: [String: String]
        var body: Data
        /// 0, 1, … over all requests of this server.
        var number: Int
    }

    enum Reply: Sendable {
        case answer(status: Int, headers: [String: String] = [:], body: Data = Data())
        /// States the whole length, sends only `prefix`, closes.
        case cut(status: Int, headers: [String: String] = [:], body: Data, prefix: Int)
        /// Closes without a word.
        case close
        /// Never answers; the connection stays open.
        case silence
    }

    let port: UInt16
    private let listener: Int32
    private let respond: @Sendable (Request) -> Reply
    /// Bytes of a request's body to read before closing without an answer; nil: all.
    private let bodyLimit: @Sendable (_ method: String, _ number: Int) -> Int?
    private let counter = Mutex(0)
    private let connections = Mutex(0)
    private let silent = Mutex<[Int32]>([])

    init(
        bodyLimit: @escaping @Sendable (String, Int) -> Int? = { _, _ in nil },
        respond: @escaping @Sendable (Request) -> Reply
    ) throws {
        self.respond = respond
        self.bodyLimit = bodyLimit
        (listener, port) = try Self.listen()
        let thread = Thread { [self] in serve() }
        thread.start()
    }

    var url: String { "http://127.0.0.1:\(port)" }
    var requestCount: Int { counter.withLock { $0 } }
    var connectionCount: Int { connections.withLock { $0 } }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        silent.withLock { sockets in
            for socket in sockets { close(socket) }
            sockets = []
        }
    }

    /// A port on which nobody listens: bound once and closed again.
    static func unusedPort() throws -> UInt16 {
        let (descriptor, port) = try listen()
        close(descriptor)
        return port
    }

    private static func listen() throws -> (Int32, UInt16) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 && Glibc.listen(descriptor, 16) == 0
                    && getsockname(descriptor, $0, &size) == 0
            }
        }
        guard descriptor >= 0, bound else { throw CocoaError(.fileReadUnknown) }
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }

    private func serve() {
        while true {
            let connection = accept(listener, nil, nil)
            guard connection >= 0 else { break }
            connections.withLock { $0 += 1 }
            let thread = Thread { [self] in
                while handle(connection) {}
            }
            thread.start()
        }
        close(listener)
    }

    /// One request; false when the connection has ended.
    private func handle(_ connection: Int32) -> Bool {
        var bytes = Data()
        let separator = Data("\r\n\r\n".utf8)
        while bytes.range(of: separator) == nil {
            guard receive(connection, into: &bytes) else {
                close(connection)
                return false
            }
        }
        let end = bytes.range(of: separator)!
        let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        let words = lines[0].components(separatedBy: " ")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
        }
        let number = counter.withLock { count in
            defer { count += 1 }
            return count
        }
        var body = Data(bytes[end.upperBound...])
        let length = headers["content-length"].flatMap { Int($0) } ?? 0
        let limit = bodyLimit(words[0], number)
        while body.count < min(length, limit ?? length) {
            guard receive(connection, into: &body) else { break }
        }
        let request = Request(method: words[0], target: words[1], headers: headers, body: body, number: number)
        let reply = respond(request)
        if limit != nil {
            close(connection)
            return false
        }
        switch reply {
        case .answer(let status, let headers, let body):
            send(connection, status, headers, body, prefix: words[0] == "HEAD" ? 0 : body.count)
            return true
        case .cut(let status, let headers, let body, let prefix):
            send(connection, status, headers, body, prefix: prefix)
        case .close: break
        case .silence:
            silent.withLock { $0.append(connection) }
            return false
        }
        close(connection)
        return false
    }

    private func receive(_ connection: Int32, into data: inout Data) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = recv(connection, &buffer, buffer.count, 0)
        guard count > 0 else { return false }
        data.append(contentsOf: buffer[..<count])
        return true
    }

    private func send(_ connection: Int32, _ status: Int, _ headers: [String: String], _ body: Data, prefix: Int) {
        var head = "HTTP/1.1 \(status) Status\r\n"
        var headers = headers
        if headers["Content-Length"] == nil { headers["Content-Length"] = "\(body.count)" }
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        let bytes = Data((head + "\r\n").utf8) + body.prefix(prefix)
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(connection, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return }
            sent += count
        }
    }
}
