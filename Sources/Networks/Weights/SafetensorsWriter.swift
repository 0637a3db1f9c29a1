import Foundation
import Kernels

#if canImport(Glibc)
    import Glibc
#endif

/// Writes safetensors files of single-precision tensors, tensor by tensor. The file appears under its name only when all
/// of it is on the disk: a reader or a crash never meets half of one.
package enum SafetensorsWriter {
    /// Between a file's name and what tells its writers apart, in the name of a file that is being written.
    private static let aside = ".writing-"

    /// Removes what writers of the file that were killed have left. One that still writes will fail.
    package static func removeHalfWritten(_ path: String) {
        let (folder, name) = ((path as NSString).deletingLastPathComponent, (path as NSString).lastPathComponent)
        // No folder, no files; and what cannot be removed does no harm but take room.
        for file in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        where file.hasPrefix(name + aside) {
            unlink("\(folder)/\(file)")
        }
    }

    /// - Parameters:
    ///   - tensors: name, shape and values; the values are asked for one tensor at a time, in this order.
    /// - Throws: `NetworkError.system` where the file cannot be written.
    package static func write(
        _ tensors: [(name: String, shape: [Int], values: () -> [Float])], metadata: [String: String], to path: String
    ) throws {
        var json = metadata.isEmpty ? [] : ["\"__metadata__\":\(object(metadata))"]
        var offset = 0
        for (name, shape, _) in tensors {
            let bytes = 4 * shape.reduce(1, *)
            let axes = shape.map(String.init).joined(separator: ",")
            json.append(
                "\(quoted(name)):{\"dtype\":\"F32\",\"shape\":[\(axes)],\"data_offsets\":[\(offset),\(offset + bytes)]}"
            )
            offset += bytes
        }
        var header = Data("{\(json.joined(separator: ","))}".utf8)
        // The data begins at a multiple of eight bytes.
        header.append(contentsOf: [UInt8](repeating: 0x20, count: (8 - header.count % 8) % 8))
        var start = Data((0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) })
        start.append(header)

        // Two writers, of whatever machine or container, never write to the same.
        let aside = "\(path)\(Self.aside)\(getpid())-\(UInt32.random(in: .min ... .max))"
        let descriptor = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw failure(path, "cannot be written") }
        var isOpen = true
        defer {
            if isOpen { close(descriptor) }
            // Left over only where something was thrown.
            unlink(aside)
        }
        try start.withUnsafeBytes { try write($0, to: descriptor, path) }
        for (name, shape, values) in tensors {
            let values = values()
            precondition(values.count == shape.reduce(1, *), "\(name): \(values.count) values for \(shape)")
            try values.withUnsafeBytes { try write($0, to: descriptor, path) }
        }
        guard fsync(descriptor) == 0 else { throw failure(path, "cannot be flushed to the disk") }
        isOpen = false
        guard close(descriptor) == 0, rename(aside, path) == 0 else { throw failure(path, "cannot be written") }
        try flushFolder(of: path)
    }

    /// The new name is on the disk as well.
    private static func flushFolder(of path: String) throws {
        let folder = (path as NSString).deletingLastPathComponent
        let descriptor = open(folder.isEmpty ? "." : folder, O_RDONLY)
        guard descriptor >= 0 else { throw failure(path, "its folder cannot be opened") }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure(path, "its folder cannot be flushed to the disk") }
    }

    private static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, _ path: String) throws {
        var done = 0
        while done < bytes.count {
            #if canImport(Glibc)
                let count = Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
            #else
                let count = Foundation.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
            #endif
            if count < 0 {
                if errno == EINTR { continue }
                throw failure(path, "cannot be written")
            }
            done += count
        }
    }

    private static func failure(_ path: String, _ what: String) -> NetworkError {
        .system(path: path, problem: what, errorNumber: errno)
    }

    private static func object(_ strings: [String: String]) -> String {
        let pairs = strings.sorted { $0.key < $1.key }.map { "\(quoted($0.key)):\(quoted($0.value))" }
        return "{\(pairs.joined(separator: ","))}"
    }

    /// A JSON string.
    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

extension Weights {
    /// Writes the weights as a safetensors file that PyTorch's `load_state_dict` takes.
    package func write(to path: String, metadata: [String: String] = [:]) throws {
        try SafetensorsWriter.write(
            zip(parameters, tensors).map { parameter, tensor in (parameter.name, tensor.shape, { tensor.values }) },
            metadata: metadata, to: path)
    }
}
