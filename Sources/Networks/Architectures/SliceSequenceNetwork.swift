import Kernels

/// A network in the manner of Q-Net (Zabihi et al., arXiv 2110.00203): a residual network reads every slice, a head on
/// each slice decides for the image, and a bidirectional LSTM over the slices decides for the scan.
///
/// The paper names these parts but not their sizes; the sizes here are this project's own.
package struct SliceSequenceNetwork: Hashable, Sendable, Codable {
    package var inputChannels = 1
    package var widths = [16, 32, 64, 128]
    package var blocksPerStage = 2
    /// Features of the LSTM per direction.
    package var hidden = 64

    package init(inputChannels: Int = 1) { self.inputChannels = inputChannels }

    /// One input "image", a slab whose depth are the slices; outputs: a logit per slice ("imageHead", the slices of an
    /// image one after the other), and a logit per scan ("scanHead").
    package func network() throws -> Network {
        guard let stem = widths.first else {
            throw NetworkError.architecture("the slice network needs a width for at least one stage")
        }
        var residual = ResidualNetwork(inputChannels: inputChannels)
        residual.rank = 2
        (residual.stemKernel, residual.stemStride, residual.stemChannels) = (3, 1, stem)
        residual.poolsStem = false
        residual.widths = widths
        residual.blocks = widths.map { _ in blocksPerStage }
        residual.strides = widths.indices.map { $0 == 0 ? 1 : 2 }

        var builder = NetworkBuilder()
        let image = try builder.input("image", channels: inputChannels, rank: 3)
        let slices = try builder.add("slices", .slicesToBatch, image)
        let embedding = try residual.addFeatures(slices, prefix: "sliceNet.", to: &builder)
        let imageLogit = try builder.linear("imageHead", embedding, outputs: 1)
        let sequence = try builder.add("sequence", .batchToSequence, embedding)
        let lstm = Layer.bidirectionalLSTM(inputs: embedding.channels, hidden: hidden)
        let states = try builder.add("lstm", lstm, sequence)
        let pooled = try builder.add("lstmMean", .globalAveragePooling, states)
        let scanLogit = try builder.linear("scanHead", pooled, outputs: 1)
        return try builder.network(outputs: [imageLogit, scanLogit])
    }
}
