import Kernels

/// QSMRim-Net (Zhang et al., NeuroImage Clin 34 (2022) 102979): does a lesion have a paramagnetic rim? A ResNet-18 reads
/// the patch, a perceptron its radiomic features; DeepSMOTE adds samples of the rare class in training.
package struct QSMRimNet: Hashable, Sendable, Codable {
    package enum Fusion: String, Hashable, Sendable, Codable {
        /// Elementwise, as in the released code.
        case sum
        /// Of both vectors, and a linear layer back to the length of one, as in the paper's figure.
        case concatenation
    }

    package var imageChannels = 2
    package var radiomicFeatures = 527
    /// Channels of the four stages of the ResNet; the last is the length of all vectors after it.
    package var widths = [64, 128, 256, 512]
    package var fusion = Fusion.sum
    /// The released code keeps the pair of every sample with itself, which appends copies.
    package var smoteIncludesSelf = false

    package init() {}

    /// Inputs "image" (QSM and FLAIR) and "radiomics" (standardised); the output is one logit per lesion.
    package func network() throws -> Network {
        var builder = NetworkBuilder()
        let image = try builder.input("image", channels: imageChannels, rank: 3)
        let radiomics = try builder.input("radiomics", channels: radiomicFeatures, rank: 0)
        let convolved = try ResidualNetwork.resNet18(inputChannels: imageChannels, widths: widths)
            .addFeatures(image, prefix: "resnet.", to: &builder)

        let length = convolved.channels
        var r = try builder.linear("radiomicsNet.fc1", radiomics, outputs: 2 * length)
        r = try builder.batchNormalisation("radiomicsNet.bn1", r)
        r = try builder.add("radiomicsNet.swish1", .activation(function: .swish), r)
        r = try builder.add("radiomicsNet.dropout", .dropout(probability: 0.3, wholeChannels: false), r)
        r = try builder.linear("radiomicsNet.fc2", r, outputs: length)
        r = try builder.batchNormalisation("radiomicsNet.bn2", r)
        r = try builder.add("radiomicsNet.swish2", .activation(function: .swish), r)

        var x: NetworkBuilder.Value
        switch fusion {
        case .sum: x = try builder.add("fusion", .addition, convolved, r)
        case .concatenation:
            x = try builder.add("fusion", .concatenation, convolved, r)
            x = try builder.linear("fusionNet.fc", x, outputs: length)
            x = try builder.add("fusionNet.swish", .activation(function: .swish), x)
        }
        for half in 1...2 {
            x = try builder.linear("smote.fc\(half)", x, outputs: length)
            x = try builder.batchNormalisation("smote.bn\(half)", x)
            x = try builder.add("smote.swish\(half)", .activation(function: .swish), x)
        }
        x = try builder.add("smote.sampling", .deepSMOTE(neighbours: 3, includesSelf: smoteIncludesSelf), x)
        x = try builder.linear("classifier.fc1", x, outputs: max(1, length / 4))
        x = try builder.add("classifier.swish", .activation(function: .swish), x)
        x = try builder.add("classifier.dropout", .dropout(probability: 0.5, wholeChannels: false), x)
        x = try builder.linear("classifier.fc2", x, outputs: 1)
        return try builder.network(outputs: [x])
    }
}
