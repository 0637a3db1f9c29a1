import Kernels

/// A double-branch residual U-Net in the manner of Chai et al. (arXiv 2008.00901): a local branch reads a patch at full
/// resolution, a global branch a patch of as many voxels at a lower resolution about the same centre, so with a larger
/// field of view; the centre of what the global branch makes is brought to full resolution and joined for the decision.
///
/// The paper names the branches but not their sizes; the sizes here are this project's own.
package struct DoubleBranchUNet: Hashable, Sendable, Codable {
    package var inputChannels: Int
    package var outputChannels: Int
    package var widths = [16, 32, 64, 128, 256]
    /// Size of a voxel of the global patch in voxels of the local one.
    package var scale = 2
    package var normalisation = UNet.Normalisation.batch
    /// As in `UNet`, for both branches.
    package var dropout: [Float] = []
    package var upsampling = UNet.Upsampling.transposed

    package init(inputChannels: Int, outputChannels: Int) {
        (self.inputChannels, self.outputChannels) = (inputChannels, outputChannels)
    }

    /// Inputs "local" and "global", volumes of the same size; the output are logits on the local patch.
    package func network() throws -> Network {
        var branch = UNet(rank: 3, inputChannels: inputChannels, outputChannels: outputChannels, widths: widths)
        branch.block = .residual
        (branch.normalisation, branch.dropout, branch.upsampling) = (normalisation, dropout, upsampling)
        try branch.check()
        let by = Extent3(repeating: scale)
        var builder = NetworkBuilder()
        let local = try builder.input("local", channels: inputChannels, rank: 3)
        let global = try builder.input("global", channels: inputChannels, rank: 3)
        let fine = try branch.decoded(local, prefix: "local.", in: &builder)
        var coarse = try branch.decoded(global, prefix: "global.", in: &builder)
        coarse = try builder.add("global.centre", .centreCrop(divisor: by), coarse)
        coarse = try builder.add(
            "global.upsampling", .upsampling(settings: Upsampling(.linear, scale: by)), coarse)
        var x = try builder.add("join", .concatenation, fine, coarse)
        x = try builder.convolution("merge.convolution", x, channels: widths[0], kernel: 3)
        x = try branch.normalised("merge.normalisation", x, in: &builder)
        x = try builder.relu("merge.activation", x)
        x = try builder.convolution("head", x, channels: outputChannels, kernel: 1)
        return try builder.network(outputs: [x])
    }
}
