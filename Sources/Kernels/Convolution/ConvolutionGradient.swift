/// Gradients of convolutions.
package enum ConvolutionGradient {
    /// Gradient with respect to the input; overwrites `inputGradient`.
    package static func input(
        _ geometry: ConvolutionGeometry, weight: UnsafePointer<Float>, outputGradient: FeatureMap,
        to inputGradient: FeatureMap, threads: Int
    ) {
        precondition(
            geometry.outputSize(inputGradient.shape.size) == outputGradient.shape.size,
            "a gradient of \(outputGradient.shape) for an input of \(inputGradient.shape)")
        LoweredConvolution.inputGradient(
            geometry, outputGradient: outputGradient.shape, input: inputGradient.shape.size
        ).applyOnce(weight: weight, outputGradient, to: inputGradient, threads: threads)
    }

    /// Gradients with respect to weights and bias, in PyTorch's order; overwrites them.
    package static func weight(
        _ geometry: ConvolutionGeometry, input: FeatureMap, outputGradient: FeatureMap,
        to weightGradient: UnsafeMutablePointer<Float>, bias: UnsafeMutablePointer<Float>?, threads: Int
    ) {
        guard let lowered = LoweredConvolution.convolution(geometry, input: input.shape),
            lowered.target == outputGradient.shape
        else { preconditionFailure("a gradient of \(outputGradient.shape) for an input of \(input.shape)") }
        lowered.weightGradientMethod().compute(
            source: input, gradient: outputGradient, to: weightGradient, threads: threads)
        if let bias { BiasGradient.compute(outputGradient, to: bias, threads: threads) }
    }
}

extension ConvolutionGradient {
    /// Bytes of packed weights, sums and scratch of the more demanding of both gradients; 0 when the kernel does not fit.
    package static func workspaceBytes(_ geometry: ConvolutionGeometry, input: FeatureShape, threads: Int) -> Int {
        guard let forward = LoweredConvolution.convolution(geometry, input: input) else { return 0 }
        let backward = LoweredConvolution.inputGradient(geometry, outputGradient: forward.target, input: input.size)
            .method(packingCounts: true)
        let values = max(
            backward.packedCount + threads * backward.scratchCount,
            forward.weightGradientMethod().scratchCount(threads: threads))
        return values * MemoryLayout<Float>.stride
    }

    /// Gradients with respect to weights and bias where the input is that of the network, in planar order: batch,
    /// channel, depth, height, width, with fewer than 16 channels.
    package static func weight(
        _ geometry: ConvolutionGeometry, planar input: UnsafePointer<Float>, shape: FeatureShape,
        outputGradient: FeatureMap, to weightGradient: UnsafeMutablePointer<Float>,
        bias: UnsafeMutablePointer<Float>?, threads: Int
    ) {
        guard let lowered = LoweredConvolution.convolution(geometry, input: shape),
            lowered.target == outputGradient.shape
        else { preconditionFailure("a gradient of \(outputGradient.shape) for an input of \(shape)") }
        DirectWeightGradient(lowered, planarSource: true).compute(
            source: .planar(input, shape), gradient: outputGradient, to: weightGradient, threads: threads)
        if let bias { BiasGradient.compute(outputGradient, to: bias, threads: threads) }
    }
}

/// Gradients of transposed convolutions.
package enum TransposedConvolutionGradient {
    /// Gradient with respect to the input, which is a convolution; overwrites `inputGradient`.
    package static func input(
        _ geometry: TransposedConvolutionGeometry, weight: UnsafePointer<Float>, outputGradient: FeatureMap,
        to inputGradient: FeatureMap, threads: Int
    ) {
        guard let lowered = mirrored(geometry, inputGradient.shape, outputGradient.shape) else {
            preconditionFailure("a gradient of \(outputGradient.shape) for an input of \(inputGradient.shape)")
        }
        lowered.applyOnce(weight: weight, outputGradient, to: inputGradient, threads: threads)
    }

    /// Gradients with respect to weights and bias, in PyTorch's order; overwrites them.
    package static func weight(
        _ geometry: TransposedConvolutionGeometry, input: FeatureMap, outputGradient: FeatureMap,
        to weightGradient: UnsafeMutablePointer<Float>, bias: UnsafeMutablePointer<Float>?, threads: Int
    ) {
        guard let lowered = mirrored(geometry, input.shape, outputGradient.shape) else {
            preconditionFailure("a gradient of \(outputGradient.shape) for an input of \(input.shape)")
        }
        lowered.weightGradientMethod().compute(
            source: outputGradient, gradient: input, to: weightGradient, threads: threads)
        if let bias { BiasGradient.compute(outputGradient, to: bias, threads: threads) }
    }

    /// The convolution from the output's shape to the input's, whose input gradient the transposed one is. The output
    /// padding may leave positions at the end that no kernel reaches.
    private static func mirrored(
        _ geometry: TransposedConvolutionGeometry, _ input: FeatureShape, _ output: FeatureShape
    ) -> LoweredConvolution? {
        guard geometry.outputSize(input.size) == output.size else { return nil }
        return LoweredConvolution.convolution(geometry.mirrored, input: output, output: input.size)
    }
}

extension LoweredConvolution {
    /// Computes without keeping the packed weights.
    fileprivate func applyOnce(
        weight: UnsafePointer<Float>, _ source: FeatureMap, to target: FeatureMap, threads: Int
    ) {
        precondition(source.shape == self.source && target.shape == self.target)
        let method = method(packingCounts: true)
        let biasCount = self.target.blocks * FeatureShape.lanes
        Scratch.with(method.packedCount + biasCount) { scratch in
            // Without a bias: zeros, 64-byte aligned as the packed weights behind them.
            scratch.update(repeating: 0, count: biasCount)
            let packed = scratch + biasCount
            method.pack(weight, to: packed, threads: threads)
            method.apply(source, to: target, packed: packed, bias: scratch, slope: 1, threads: threads)
        }
    }
}
