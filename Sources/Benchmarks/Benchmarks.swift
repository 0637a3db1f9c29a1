import Foundation
import Kernels

/// Times our kernels on volumes that anybody can make again: `make bench`. One line of JSON per benchmark.
///
/// Every line carries a checksum of the result, so that a change that is fast because it computes something else shows.
@main
enum Benchmarks {
    static let all: [any Benchmark] =
        [
            GaussianBenchmark(), AffineResampleBenchmark(), DisplacementResampleBenchmark(), RegistrationBenchmark(),
            DistanceBenchmark(), ComponentsBenchmark(), PatchBenchmark(), SlidingWindowBenchmark(),
            RadiomicsBenchmark(),
        ] + FilterBenchmark.all + ConvolutionBenchmark.all + NetworkBenchmark.all

    /// `only` is a name, or names up to an underscore.
    private static func isChosen(_ name: String, by only: String) -> Bool {
        name == only || name.hasPrefix(only + "_")
    }

    /// The most memory this process has had so far.
    private static var peakBytes: Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss * 1024
    }

    static func main() throws {
        var arguments = Array(CommandLine.arguments.dropFirst())
        if arguments.first == "onnx" { return try ONNXRun.main(Array(arguments.dropFirst())) }
        func option(_ name: String) -> String? {
            guard let index = arguments.firstIndex(of: name), index + 1 < arguments.count else { return nil }
            defer { arguments.removeSubrange(index...(index + 1)) }
            return arguments[index + 1]
        }
        let edge = Int(option("--edge") ?? "256") ?? 256
        let repeats = Int(option("--repeats") ?? "5") ?? 5
        let threads = Int(option("--threads") ?? "1") ?? 1
        let only = option("--only")
        if arguments.contains("--radiomics-features") { return try RadiomicsBenchmark.printFeatures(edge: edge) }
        if let name = option("--describe-network") {
            let network = try NetworkBenchmark(network: name, work: .inference).problem().network
            return print(String(decoding: try JSONEncoder().encode(network), as: UTF8.self))
        }
        if let folder = option("--layer-check") { return try LayerCheck.run(folder: folder, threads: threads) }
        if let folder = option("--network-check") {
            let name = option("--network") ?? "unet3d"
            if arguments.contains("--describe") { return try NetworkCheck.describe(name, folder: folder) }
            if let batch = option("--edges").flatMap({ Int($0) }) {
                return try NetworkCheck.writeEdges(name, batch: batch, folder: folder, threads: threads)
            }
            return try NetworkCheck.run(name, folder: folder, threads: threads)
        }
        for benchmark in all where only.map({ isChosen(benchmark.name, by: $0) }) ?? true {
            var seconds: [Double] = []
            var checksum = 0.0
            let body = try benchmark.prepare(edge: edge, threads: threads)
            checksum = try body()  // the first is a warm-up
            for _ in 0..<repeats {
                let start = ContinuousClock.now
                checksum = try body()
                let taken = ContinuousClock.now - start
                seconds.append(Double(taken.components.seconds) + Double(taken.components.attoseconds) * 1e-18)
            }
            seconds.sort()
            var line: [String: Any] = [
                "name": benchmark.name, "tool": "qsmflow", "edge": edge, "threads": threads,
                "minimum_s": seconds[0], "median_s": seconds[seconds.count / 2], "checksum": checksum,
                "instruction_set": "\(InstructionSet.active)", "peak_bytes": peakBytes,
            ]
            if let operations = benchmark.operations { line["gigaflops"] = operations / seconds[0] * 1e-9 }
            let data = try JSONSerialization.data(withJSONObject: line, options: [.sortedKeys])
            print(String(decoding: data, as: UTF8.self))
        }
    }
}

protocol Benchmark: Sendable {
    var name: String { get }
    /// Additions and multiplications of one run, where they are what counts.
    var operations: Double? { get }
    /// Makes the input; the closure is what is timed and returns a checksum of its result.
    func prepare(edge: Int, threads: Int) throws -> () throws -> Double
}

extension Benchmark {
    var operations: Double? { nil }
}
