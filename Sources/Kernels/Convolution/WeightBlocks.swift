/// Weights of a convolution without groups, a block of 16 input channels against one of 16 output channels at a time,
/// between PyTorch's order and vectors of 16 output channels, wherever a method wants those of each input channel and
/// kernel element.
struct WeightBlocks: Sendable {
    private let lowered: LoweredConvolution
    /// Offset of the vector of each input channel of a block and kernel element (fastest); −1 for elements not used.
    private let places: [Int]

    /// - Parameters:
    ///   - elements: indices in the kernel of the elements used.
    ///   - place: offset of the vector of an input channel of the block and of a position in `elements`.
    init(_ lowered: LoweredConvolution, elements: [Int], place: (_ input: Int, _ position: Int) -> Int) {
        precondition(lowered.groups == 1)
        self.lowered = lowered
        let kernel = lowered.kernel.product
        var places = [Int](repeating: -1, count: FeatureShape.lanes * kernel)
        for input in 0..<FeatureShape.lanes {
            for (position, element) in elements.enumerated() {
                places[input * kernel + element] = place(input, position)
            }
        }
        self.places = places
    }

    /// Input channels of a block that there are.
    func presentInputs(_ inputBlock: Int) -> Int {
        min(FeatureShape.lanes, lowered.inputChannels - inputBlock * FeatureShape.lanes)
    }

    /// Lines of consecutive weights of 16 output channels, `lineStride` apart.
    private struct Run {
        var start, lineStride, count: Int
        /// Of `places`.
        var first: Int
    }

    private func runs(_ outputBlock: Int, _ inputBlock: Int) -> (lines: Int, runs: [Run]) {
        let lanes = FeatureShape.lanes
        let kernel = lowered.kernel.product
        let (output, input) = (outputBlock * lanes, inputBlock * lanes)
        let present = presentInputs(inputBlock)
        let lines = min(lanes, lowered.outputChannels - output)
        switch lowered.order {
        case .byOutput:
            return (
                lines,
                [
                    Run(
                        start: lowered.weightIndex(output: output, input: input)!,
                        lineStride: lowered.inputChannels * kernel, count: present * kernel, first: 0)
                ]
            )
        case .byInput:
            return (
                lines,
                (0..<present).map {
                    Run(
                        start: lowered.weightIndex(output: output, input: input + $0)!, lineStride: kernel,
                        count: kernel, first: $0 * kernel)
                }
            )
        }
    }

    /// Writes the vectors of the input channels that there are, with zeros for output channels that there are not.
    func gather(
        _ weight: UnsafePointer<Float>, outputBlock: Int, inputBlock: Int, to target: UnsafeMutablePointer<Float>
    ) {
        let (lines, runs) = runs(outputBlock, inputBlock)
        places.withUnsafeBufferPointer { places in
            for run in runs {
                vectorsOfLines(
                    weight + run.start, run.lineStride, lines, run.count, places.baseAddress! + run.first, target)
            }
        }
    }

    /// Puts vectors where PyTorch has them, and zeros for the elements not used.
    func scatter(
        _ vectors: UnsafePointer<Float>, outputBlock: Int, inputBlock: Int, to weight: UnsafeMutablePointer<Float>
    ) {
        let (lines, runs) = runs(outputBlock, inputBlock)
        places.withUnsafeBufferPointer { places in
            for run in runs {
                linesOfVectors(
                    vectors, places.baseAddress! + run.first, run.count, lines, weight + run.start, run.lineStride)
            }
        }
    }
}
