import Kernels

/// One convolution with 3×3×3 or 3×3 elements, as large as its input: forward, or the gradient of its input or weights.
struct ConvolutionBenchmark: Benchmark {
    enum Direction: String, CaseIterable {
        case forward, inputGradient = "input", weightGradient = "weight"
    }

    let inputs, outputs: Int
    let size: Extent3
    let direction: Direction

    /// The layers of segmentation networks, from the first to the deepest.
    static let all: [ConvolutionBenchmark] = [
        (32, 32, Extent3(repeating: 64)), (64, 64, Extent3(repeating: 32)), (128, 128, Extent3(repeating: 16)),
        (1, 32, Extent3(repeating: 64)), (16, 16, Extent3(repeating: 128)), (32, 32, Extent3(1, 256, 256)),
        (64, 64, Extent3(1, 256, 256)),
    ].flatMap { inputs, outputs, size in
        Direction.allCases.map { ConvolutionBenchmark(inputs: inputs, outputs: outputs, size: size, direction: $0) }
    }

    var name: String {
        "convolution_\(inputs)_\(outputs)_\(size.depth)x\(size.height)x\(size.width)_\(direction.rawValue)"
    }

    private var geometry: ConvolutionGeometry {
        let flat = size.depth == 1
        return ConvolutionGeometry(
            inputChannels: inputs, outputChannels: outputs, kernel: Extent3(flat ? 1 : 3, 3, 3),
            padding: Extent3(flat ? 0 : 1, 1, 1))
    }

    /// Of the direct way, whichever way is taken.
    var operations: Double? { 2 * Double(geometry.weightShape.reduce(1, *)) * Double(size.product) }

    func prepare(edge: Int, threads: Int) throws -> () throws -> Double {
        let geometry = geometry
        let inputShape = FeatureShape(batch: 1, channels: inputs, size: size)
        let outputShape = FeatureShape(batch: 1, channels: outputs, size: size)
        func filled(_ shape: FeatureShape, seed: UInt64) -> FeatureStorage {
            let storage = FeatureStorage(shape)
            storage.map(shape).fill(fromPlanar: noise(shape.count, seed: seed))
            return storage
        }
        let input = filled(inputShape, seed: 1)
        let planar = noise(inputShape.count, seed: 1)
        // First layers read the input of the network, which is planar in every library.
        let isFirst = inputs < FeatureShape.lanes
        let weight = noise(geometry.weightShape.reduce(1, *), seed: 2)
        switch direction {
        case .forward:
            let output = FeatureStorage(outputShape)
            let convolution = Convolution(
                geometry, input: inputShape, weight: weight, bias: nil, epilogue: .none, planarInput: isFirst,
                threads: threads)
            return {
                if isFirst {
                    convolution.apply(planar: planar, to: output.map(outputShape), threads: threads)
                } else {
                    convolution.apply(input.map(inputShape), to: output.map(outputShape), threads: threads)
                }
                return withExtendedLifetime(input) { Double(output.base[output.count / 2]) }
            }
        case .inputGradient:
            let gradient = filled(outputShape, seed: 3)
            let result = FeatureStorage(inputShape)
            return {
                ConvolutionGradient.input(
                    geometry, weight: weight, outputGradient: gradient.map(outputShape), to: result.map(inputShape),
                    threads: threads)
                return withExtendedLifetime(gradient) { Double(result.base[result.count / 2]) }
            }
        case .weightGradient:
            let gradient = filled(outputShape, seed: 3)
            let result = FeatureStorage(count: weight.count)
            return {
                if isFirst {
                    ConvolutionGradient.weight(
                        geometry, planar: planar, shape: inputShape, outputGradient: gradient.map(outputShape),
                        to: result.base, bias: nil, threads: threads)
                    return withExtendedLifetime(gradient) { Double(result.base[result.count / 2]) }
                }
                ConvolutionGradient.weight(
                    geometry, input: input.map(inputShape), outputGradient: gradient.map(outputShape),
                    to: result.base, bias: nil, threads: threads)
                return withExtendedLifetime((input, gradient)) { Double(result.base[result.count / 2]) }
            }
        }
    }

    private func noise(_ count: Int, seed: UInt64) -> [Float] {
        var stream = Philox(seed: seed).stream(0)
        return (0..<count).map { _ in Float(stream.next() >> 40) / Float(1 << 23) - 1 }
    }
}
