/// A convolution prepared for one shape of input: weights packed once, applied often.
package final class Convolution: Sendable {
    package let geometry: ConvolutionGeometry
    package let input: FeatureShape
    package let output: FeatureShape
    private let prepared: PreparedConvolution

    /// - Parameters:
    ///   - geometry: whose kernel fits into the input.
    ///   - weight: of `geometry.weightShape`.
    ///   - bias: one value per output channel.
    ///   - planarInput: whether `apply(planar:)` will be used: for the first layer of a network, which then reads the
    ///     network's input as it is. Fewer than 16 input channels.
    ///   - isTrained: whether `repack` follows every application, so that the time it takes counts.
    package init(
        _ geometry: ConvolutionGeometry, input: FeatureShape, weight: UnsafePointer<Float>,
        bias: UnsafePointer<Float>?, epilogue: Epilogue, planarInput: Bool = false, isTrained: Bool = false,
        threads: Int
    ) {
        precondition(input.channels == geometry.inputChannels, "\(input) into \(geometry.inputChannels) channels")
        guard let lowered = LoweredConvolution.convolution(geometry, input: input) else {
            preconditionFailure("a kernel of \(geometry.kernel) does not fit \(input)")
        }
        (self.geometry, self.input, output) = (geometry, input, lowered.target)
        prepared = PreparedConvolution(
            lowered, weight: weight, bias: bias, epilogue: epilogue, planarSource: planarInput, isTrained: isTrained,
            threads: threads)
    }

    package func apply(_ input: FeatureMap, to output: FeatureMap, threads: Int) {
        prepared.apply(input, to: output, threads: threads)
    }

    /// From an input in planar order: batch, channel, depth, height, width.
    package func apply(planar input: UnsafePointer<Float>, to output: FeatureMap, threads: Int) {
        prepared.apply(planar: input, to: output, threads: threads)
    }

    /// New weights in the same memory; not while the convolution is applied.
    package func repack(weight: UnsafePointer<Float>, bias: UnsafePointer<Float>?, threads: Int) {
        prepared.repack(weight: weight, bias: bias, threads: threads)
    }

    /// Bytes of the packed weights and of the scratch of `threads` threads; 0 when the kernel does not fit.
    package static func workspaceBytes(
        _ geometry: ConvolutionGeometry, input: FeatureShape, isTrained: Bool = false, threads: Int
    ) -> Int {
        LoweredConvolution.convolution(geometry, input: input)?.workspaceBytes(threads: threads, isTrained: isTrained)
            ?? 0
    }
}

/// A transposed convolution prepared for one shape of input.
package final class TransposedConvolution: Sendable {
    package let geometry: TransposedConvolutionGeometry
    package let input: FeatureShape
    package let output: FeatureShape
    private let prepared: PreparedConvolution

    /// - Parameters:
    ///   - geometry: whose padding leaves some output.
    ///   - weight: of `geometry.weightShape`.
    ///   - bias: one value per output channel.
    package init(
        _ geometry: TransposedConvolutionGeometry, input: FeatureShape, weight: UnsafePointer<Float>,
        bias: UnsafePointer<Float>?, epilogue: Epilogue, threads: Int
    ) {
        precondition(input.channels == geometry.inputChannels, "\(input) into \(geometry.inputChannels) channels")
        guard let lowered = LoweredConvolution.transposed(geometry, input: input) else {
            preconditionFailure("a padding of \(geometry.padding) leaves nothing of \(input)")
        }
        (self.geometry, self.input, output) = (geometry, input, lowered.target)
        prepared = PreparedConvolution(lowered, weight: weight, bias: bias, epilogue: epilogue, threads: threads)
    }

    package func apply(_ input: FeatureMap, to output: FeatureMap, threads: Int) {
        prepared.apply(input, to: output, threads: threads)
    }

    /// New weights in the same memory; not while the convolution is applied.
    package func repack(weight: UnsafePointer<Float>, bias: UnsafePointer<Float>?, threads: Int) {
        prepared.repack(weight: weight, bias: bias, threads: threads)
    }

    /// Bytes of the packed weights and of the scratch of `threads` threads; 0 when there is no output.
    package static func workspaceBytes(
        _ geometry: TransposedConvolutionGeometry, input: FeatureShape, threads: Int
    ) -> Int {
        LoweredConvolution.transposed(geometry, input: input)?.workspaceBytes(threads: threads) ?? 0
    }
}

extension LoweredConvolution {
    static func transposed(_ geometry: TransposedConvolutionGeometry, input: FeatureShape) -> LoweredConvolution? {
        guard let size = geometry.outputSize(input.size) else { return nil }
        return inputGradient(geometry.mirrored, outputGradient: input, input: size)
    }

    func workspaceBytes(threads: Int, isTrained: Bool = false) -> Int {
        let method = method(packingCounts: isTrained)
        return (method.packedCount + threads * method.scratchCount) * MemoryLayout<Float>.stride
    }
}

/// A method with its packed weights.
private final class PreparedConvolution: Sendable {
    private let lowered: LoweredConvolution
    private let method: any ConvolutionMethod
    /// The same where the source comes in planar order.
    private let planarMethod: DirectConvolution?
    private let slope: Float
    private let packed: FeatureStorage
    /// One value per channel, padded with zeros.
    private let bias: FeatureStorage

    init(
        _ lowered: LoweredConvolution, weight: UnsafePointer<Float>, bias: UnsafePointer<Float>?, epilogue: Epilogue,
        planarSource: Bool = false, isTrained: Bool = false, threads: Int
    ) {
        self.lowered = lowered
        planarMethod = planarSource ? DirectConvolution(lowered, planarSource: true) : nil
        method = planarMethod ?? lowered.method(packingCounts: isTrained)
        slope = epilogue.slope
        packed = FeatureStorage(count: method.packedCount)
        self.bias = FeatureStorage(count: lowered.target.blocks * FeatureShape.lanes)
        repack(weight: weight, bias: bias, threads: threads)
    }

    func repack(weight: UnsafePointer<Float>, bias: UnsafePointer<Float>?, threads: Int) {
        method.pack(weight, to: packed.base, threads: threads)
        if let bias {
            self.bias.base.update(from: bias, count: lowered.outputChannels)
        } else {
            self.bias.base.update(repeating: 0, count: lowered.outputChannels)
        }
    }

    func apply(planar input: UnsafePointer<Float>, to output: FeatureMap, threads: Int) {
        precondition(output.shape == lowered.target, "\(output.shape) instead of \(lowered.target)")
        guard let planarMethod else { preconditionFailure("not prepared for planar input") }
        planarMethod.apply(
            .planar(input, lowered.source), to: output, packed: packed.base, bias: bias.base, slope: slope,
            threads: threads)
    }

    func apply(_ input: FeatureMap, to output: FeatureMap, threads: Int) {
        precondition(planarMethod == nil, "prepared for planar input")
        precondition(input.shape == lowered.source, "\(input.shape) instead of \(lowered.source)")
        precondition(output.shape == lowered.target, "\(output.shape) instead of \(lowered.target)")
        method.apply(input, to: output, packed: packed.base, bias: bias.base, slope: slope, threads: threads)
    }
}
