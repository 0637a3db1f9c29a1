extension LoweredConvolution {
    /// The fastest way for this shape, from the shape alone.
    func method() -> any ConvolutionMethod {
        if let outputs = fastTile, let method = WinogradConvolution(self, outputs: outputs) { return method }
        return DirectConvolution(self)
    }

    /// Outputs of a tile of fast convolution; nil where the direct way is faster.
    var fastTile: Extent3? {
        let size = target.size
        guard groups == 1, phases.count == 1, inputChannels >= 12, outputChannels >= 8 else { return nil }
        let phase = phases[0]
        guard phase.height.taps.count == 3, phase.width.taps.count == 3 else { return nil }
        if phase.depth.taps.count == 1 {
            guard min(size.height, size.width) >= 4 else { return nil }
            return Extent3(1, 4, 4)
        }
        guard min(size.depth, size.height, size.width) >= 4 else { return nil }
        return Extent3(4, 4, 4)
    }
}
