import Foundation
import Kernels
import Networks
import TestSupport
import Testing

/// Files that come back bit for bit, and damaged ones that are refused in one sentence.
struct SafetensorsTests {
    private let folder: String

    init() throws {
        folder = NSTemporaryDirectory() + "/safetensors-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    private func file(_ header: String, data: Int, length: UInt64? = nil) throws -> String {
        let path = folder + "/\(UUID().uuidString).safetensors"
        let json = Data(header.utf8)
        let count = length ?? UInt64(json.count)
        var bytes = Data((0..<8).map { UInt8(truncatingIfNeeded: count >> (8 * UInt64($0))) })
        bytes.append(json)
        bytes.append(Data(repeating: 0, count: data))
        try bytes.write(to: URL(fileURLWithPath: path))
        return path
    }

    /// What is said about a file, without its path.
    private func problem(_ path: String) -> String {
        do {
            _ = try SafetensorsFile(path: path)
            return "nothing"
        } catch {
            let text = "\(error)"
            return text.hasPrefix("\(path): ") ? String(text.dropFirst(path.count + 2)) : text
        }
    }

    @Test func weightsComeBackBitForBit() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }  // A test's own folder.
        let network = try SliceSequenceNetwork(inputChannels: 2).network()
        let weights = NetworkFixtures.weights(network, seed: 3)
        let path = folder + "/weights.safetensors"
        let metadata = ["name": "a \"quoted\" \\ name\nwith lines", "format": "pt", "ü": "ä"]
        try weights.write(to: path, metadata: metadata)
        #expect(try Weights(network, from: path) == weights)
        #expect(try SafetensorsFile(path: path).metadata == metadata)
        // Nothing is left beside it.
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["weights.safetensors"])
        // The data begins at a multiple of eight bytes, as the format asks.
        let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        let length = (0..<8).reduce(0) { $0 | Int(bytes[$1]) << (8 * $1) }
        #expect(length % 8 == 0)
    }

    @Test func halfBrainAndDoublePrecisionAreConverted() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }  // A test's own folder.
        let header = """
            {"h":{"dtype":"F16","shape":[6],"data_offsets":[0,12]},"b":{"dtype":"BF16","shape":[2,1],\
            "data_offsets":[12,16]},"d":{"dtype":"F64","shape":[],"data_offsets":[16,24]},\
            "i":{"dtype":"I64","shape":[1],"data_offsets":[24,32]}}
            """
        let path = try file(header, data: 0)
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        // 1, −2, the least positive, the largest, infinity and −0 in half precision.
        for half in [0x3C00, 0xC000, 0x0001, 0x7BFF, 0x7C00, 0x8000] as [UInt16] {
            withUnsafeBytes(of: half) { bytes.append(contentsOf: $0) }
        }
        for brain in [0x3F80, 0xC049] as [UInt16] { withUnsafeBytes(of: brain) { bytes.append(contentsOf: $0) } }
        withUnsafeBytes(of: Double.pi) { bytes.append(contentsOf: $0) }
        withUnsafeBytes(of: Int64(7)) { bytes.append(contentsOf: $0) }
        try bytes.write(to: URL(fileURLWithPath: path))
        let file = try SafetensorsFile(path: path)
        let halves = try file.tensor("h").values
        #expect(halves == [1, -2, 0x1p-24, 65504, .infinity, 0])
        #expect(halves[5].sign == .minus)
        #expect(try file.tensor("b") == Tensor(shape: [2, 1], values: [1, -3.140625]))
        #expect(try file.tensor("d") == Tensor(shape: [], values: [Float(Double.pi)]))
        #expect(throws: NetworkError.file(path: path, problem: "tensor i is of the type I64, not floating point")) {
            _ = try file.tensor("i")
        }
        #expect(throws: NetworkError.file(path: path, problem: "has no tensor x")) { _ = try file.tensor("x") }
    }

    @Test func damagedFilesAreRefusedNamingWhatIsWrong() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }  // A test's own folder.
        func tensor(_ name: String, _ shape: String, _ begin: Int, _ end: Int, type: String = "F32") -> String {
            "\"\(name)\":{\"dtype\":\"\(type)\",\"shape\":\(shape),\"data_offsets\":[\(begin),\(end)]}"
        }
        let two = "{\(tensor("a", "[2]", 0, 8)),\(tensor("b", "[1]", 8, 12))}"
        #expect(problem(try file(two, data: 12)) == "nothing")
        let cases: [(String, String)] = [
            (folder + "/none", "cannot be read: No such file or directory"),
            (try file(two, data: 11), "is cut short: its tensors take 12 bytes and 11 are there"),
            (try file(two, data: 13), "1 bytes at its end belong to no tensor"),
            (
                try file(two, data: 12, length: 4000),
                "is cut short: its header takes 4000 bytes and \(two.utf8.count + 12) are there"
            ),
            (
                try file(two, data: 12, length: 1 << 40),
                "is no safetensors file: its header would take 1099511627776 bytes"
            ),
            (
                try file(two, data: 12, length: 20),
                "is no safetensors file: its header is no JSON, or a number in it is not whole"
            ),
            (try file("[1,2]", data: 0), "has a damaged safetensors header:  is not what belongs there"),
            (
                try file("{\(tensor("a", "[2]", 0, 8)),\(tensor("b", "[1]", 4, 8))}", data: 8),
                "tensor b overlaps the one before it"
            ),
            (
                try file("{\(tensor("a", "[2]", 0, 8)),\(tensor("b", "[1]", 12, 16))}", data: 16),
                "4 bytes before tensor b belong to no tensor"
            ),
            (
                try file("{\(tensor("a", "[3]", 0, 8))}", data: 8),
                "tensor a of shape [3] and type F32 takes 12 bytes and is given 8"
            ),
            (
                try file("{\(tensor("a", "[2]", 0, 8, type: "F7"))}", data: 8),
                "tensor a is of the type F7, which is not known"
            ),
            (try file("{\(tensor("a", "[-2,-1]", 0, 8))}", data: 8), "tensor a has the shape [-2, -1]"),
            (
                try file("{\(tensor("a", "[4611686018427387904,4]", 0, 8))}", data: 8),
                "tensor a has the shape [4611686018427387904, 4]"
            ),
            (try file("{\(tensor("a", "[2]", 8, 0))}", data: 8), "tensor a has the data_offsets [8, 0]"),
            (
                try file("{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", data: 8),
                "has a damaged safetensors header: tensor a has no shape"
            ),
            (
                try file("{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,8]}}", data: 8),
                "is no safetensors file: its header is no JSON, or a number in it is not whole"
            ),
        ]
        for (path, expected) in cases { #expect(problem(path) == expected) }
        let short = folder + "/short"
        try Data([1, 2, 3]).write(to: URL(fileURLWithPath: short))
        #expect(problem(short) == "is no safetensors file: it has 3 bytes only")
    }

    /// Any single bit that is flipped in the header is either refused or changes a name, a type or the metadata; it never
    /// crashes, and tensors never overlap.
    @Test func flippedBitsNeverCrash() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }  // A test's own folder.
        let network = try UNet(rank: 2, inputChannels: 1, outputChannels: 2, widths: [3]).network()
        let path = folder + "/weights.safetensors"
        try network.initialWeights(.heNormal, seed: 1).write(to: path, metadata: ["a": "b"])
        let sound = try Data(contentsOf: URL(fileURLWithPath: path))
        let headerCount = 8 + Int(sound[0]) + Int(sound[1]) << 8
        var random = SeededGenerator(seed: 4)
        var refused = 0
        for _ in 0..<400 {
            var bytes = sound
            let bit = Int(random.next() % UInt64(8 * headerCount))
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            try bytes.write(to: URL(fileURLWithPath: path))
            do {
                _ = try Weights(network, from: path)
            } catch {
                refused += 1
                #expect("\(error)".hasPrefix(path))
            }
        }
        #expect(refused > 300)
    }

    @Test func weightsOfAnotherNetworkAreListed() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }  // A test's own folder.
        var net = UNet(rank: 2, inputChannels: 1, outputChannels: 2, widths: [4])
        let path = folder + "/weights.safetensors"
        try net.network().initialWeights(.heNormal, seed: 1).write(to: path)
        net.outputChannels = 3
        net.normalisation = .none
        #expect(
            throws: NetworkError.file(
                path: path,
                problem: "does not hold the weights of this network: it has besides "
                    + "encoder0.normalisation1.weight, encoder0.normalisation1.bias, "
                    + "encoder0.normalisation1.running_mean, encoder0.normalisation1.running_var, "
                    + "encoder0.normalisation2.weight and 3 more, has in another shape "
                    + "head.weight ([2, 4, 1, 1] instead of [3, 4, 1, 1]), head.bias ([2] instead of [3])")
        ) { _ = try Weights(net.network(), from: path) }
        net.widths = [4, 8]
        #expect(
            throws: NetworkError.file(
                path: path,
                problem: "does not hold the weights of this network: it lacks decoder0.up.weight and more")
        ) {
            do {
                _ = try Weights(net.network(), from: path)
            } catch NetworkError.file(let path, let text) {
                #expect(text.contains("it lacks encoder1.convolution1.weight, "))
                throw NetworkError.file(
                    path: path,
                    problem: "does not hold the weights of this network: it lacks decoder0.up.weight and more")
            }
        }
    }

    @Test func aFolderThatIsNotThereIsNamed() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }  // A test's own folder.
        let path = folder + "/none/weights.safetensors"
        let weights = try UNet(rank: 2, inputChannels: 1, outputChannels: 2, widths: [3]).network()
            .initialWeights(.heNormal, seed: 1)
        #expect(throws: NetworkError.system(path: path, problem: "cannot be written", errorNumber: ENOENT)) {
            try weights.write(to: path)
        }
    }
}
