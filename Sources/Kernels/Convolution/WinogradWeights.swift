/// How the weights of a block of input channels lie before and after their transform: some input channels at a time, so
/// that what the passes along the axes hand on stays in the cache.
struct WinogradWeights: Sendable {
    /// Kernel elements.
    let elementCount: Int
    /// Input channels that go through the passes together.
    let inputs: Int
    /// Group of input channels, kernel element, input channel, output channel.
    let blocks: WeightBlocks

    /// - Parameter together: input channels that go through the passes together; nil for as many as suit the cache.
    init(_ lowered: LoweredConvolution, together: Int? = nil) {
        let elements = DirectConvolution.elements(of: lowered.phases[0], kernel: lowered.kernel)
        let count = elements.count
        let together = together ?? (count > 9 ? 4 : FeatureShape.lanes)
        (elementCount, inputs) = (count, together)
        blocks = WeightBlocks(lowered, elements: elements) { input, position in
            ((input / together * count + position) * together + input % together) * FeatureShape.lanes
        }
    }
}
