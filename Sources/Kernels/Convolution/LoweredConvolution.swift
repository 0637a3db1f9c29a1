/// A convolution of any stride, its input gradient or a transposed convolution, all as the same thing: for each phase,
/// target[origin + step·q] = Σ over kernel elements of weight[element] · source[sourceStep·q + displacement], for q in
/// 0 ..< count on each axis, with zeros outside the source.
///
/// A convolution has one phase. Its input gradient has one for each remainder of the position by the stride: positions
/// of one remainder meet the same elements of the kernel, so that no product with a zero between is ever computed.
struct LoweredConvolution: Sendable {
    struct Tap: Sendable, Equatable {
        var displacement: Int
        /// Index of the element along this axis of the kernel.
        var element: Int
    }

    struct Axis: Sendable, Equatable {
        var origin: Int
        var step: Int
        var count: Int
        var sourceStep: Int
        /// By displacement, ascending.
        var taps: [Tap]

        /// Without the taps that never meet a source of `length` positions but only the zeros around it: on the smallest
        /// maps of a deep network, of one position, that leaves 1 element of 27. One tap remains in any case.
        func reaching(_ length: Int) -> Axis {
            var axis = self
            axis.taps = taps.filter { tap in
                let first = max(0, (-tap.displacement).divided(by: sourceStep))
                return first < count && first * sourceStep + tap.displacement < length
            }
            if axis.taps.isEmpty { axis.taps = Array(taps.prefix(1)) }
            return axis
        }
    }

    struct Phase: Sendable, Equatable {
        var depth, height, width: Axis

        var tapCount: Int { depth.taps.count * height.taps.count * width.taps.count }
    }

    /// How the index of a weight is made up.
    enum WeightOrder: Sendable {
        /// [outputs, inputs of a group, kernel]
        case byOutput
        /// [inputs, outputs of a group, kernel]
        case byInput
    }

    var inputChannels, outputChannels, groups: Int
    var source, target: FeatureShape
    var kernel: Extent3
    var order: WeightOrder
    var phases: [Phase]

    var inputsPerGroup: Int { inputChannels / groups }
    var outputsPerGroup: Int { outputChannels / groups }

    /// Index of the weights of an output and an input channel; nil when they are of different groups.
    func weightIndex(output: Int, input: Int) -> Int? {
        guard output / outputsPerGroup == input / inputsPerGroup else { return nil }
        switch order {
        case .byOutput: return (output * inputsPerGroup + input % inputsPerGroup) * kernel.product
        case .byInput: return (input * outputsPerGroup + output % outputsPerGroup) * kernel.product
        }
    }

    /// Every output channel sees the input channel of the same index only.
    var isDepthwise: Bool { groups > 1 && groups == inputChannels && groups == outputChannels }

    /// - Parameter output: of the results computed, when not all that there are.
    static func convolution(
        _ geometry: ConvolutionGeometry, input: FeatureShape, output: Extent3? = nil
    ) -> LoweredConvolution? {
        guard let all = geometry.outputSize(input.size) else { return nil }
        let size = output ?? all
        func axis(_ path: KeyPath<Extent3, Int>) -> Axis {
            Axis(
                origin: 0, step: 1, count: size[keyPath: path], sourceStep: geometry.stride[keyPath: path],
                taps: (0..<geometry.kernel[keyPath: path]).map {
                    Tap(
                        displacement: $0 * geometry.dilation[keyPath: path] - geometry.padding[keyPath: path],
                        element: $0)
                }
            ).reaching(input.size[keyPath: path])
        }
        return LoweredConvolution(
            inputChannels: geometry.inputChannels, outputChannels: geometry.outputChannels, groups: geometry.groups,
            source: input, target: FeatureShape(batch: input.batch, channels: geometry.outputChannels, size: size),
            kernel: geometry.kernel, order: .byOutput,
            phases: [Phase(depth: axis(\.depth), height: axis(\.height), width: axis(\.width))])
    }

    /// From the gradient of the output, of shape `outputGradient`, to that of an input of size `input`.
    static func inputGradient(
        _ geometry: ConvolutionGeometry, outputGradient: FeatureShape, input: Extent3
    ) -> LoweredConvolution {
        func axes(_ path: KeyPath<Extent3, Int>) -> [Axis] {
            let (stride, length) = (geometry.stride[keyPath: path], input[keyPath: path])
            return (0..<min(stride, length)).map { remainder in
                let taps = (0..<geometry.kernel[keyPath: path]).compactMap { element -> Tap? in
                    let distance =
                        remainder + geometry.padding[keyPath: path] - element * geometry.dilation[keyPath: path]
                    guard distance % stride == 0 else { return nil }
                    return Tap(displacement: distance / stride, element: element)
                }
                return Axis(
                    origin: remainder, step: stride, count: (length - remainder + stride - 1) / stride, sourceStep: 1,
                    taps: taps.sorted { $0.displacement < $1.displacement }
                ).reaching(outputGradient.size[keyPath: path])
            }
        }
        var phases: [Phase] = []
        for depth in axes(\.depth) {
            for height in axes(\.height) {
                for width in axes(\.width) { phases.append(Phase(depth: depth, height: height, width: width)) }
            }
        }
        return LoweredConvolution(
            inputChannels: geometry.outputChannels, outputChannels: geometry.inputChannels, groups: geometry.groups,
            source: outputGradient,
            target: FeatureShape(batch: outputGradient.batch, channels: geometry.inputChannels, size: input),
            kernel: geometry.kernel, order: .byInput, phases: phases)
    }

    /// Blocks of output channels with the blocks of input channels they need.
    struct Panel: Sendable {
        var outputBlocks, inputBlocks: Range<Int>
    }

    /// One panel without groups, one per group where groups fill whole blocks, else one per block of outputs.
    var panels: [Panel] {
        let lanes = FeatureShape.lanes
        if groups == 1 { return [Panel(outputBlocks: 0..<target.blocks, inputBlocks: 0..<source.blocks)] }
        if inputsPerGroup % lanes == 0, outputsPerGroup % lanes == 0 {
            let (outputs, inputs) = (outputsPerGroup / lanes, inputsPerGroup / lanes)
            return (0..<groups).map {
                Panel(
                    outputBlocks: $0 * outputs..<($0 + 1) * outputs, inputBlocks: $0 * inputs..<($0 + 1) * inputs)
            }
        }
        return (0..<target.blocks).map { block in
            let firstGroup = block * lanes / outputsPerGroup
            let lastGroup = (min(outputChannels, (block + 1) * lanes) - 1) / outputsPerGroup
            let (first, end) = (firstGroup * inputsPerGroup, (lastGroup + 1) * inputsPerGroup)
            return Panel(
                outputBlocks: block..<block + 1, inputBlocks: first / lanes..<(end + lanes - 1) / lanes)
        }
    }
}
