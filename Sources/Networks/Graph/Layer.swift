import Kernels

/// What one node of a network computes, with its hyper-parameters; the learned values are elsewhere (`Parameter`).
package enum Layer: Hashable, Sendable, Codable {
    case convolution(geometry: ConvolutionGeometry, bias: Bool)
    case transposedConvolution(geometry: TransposedConvolutionGeometry, bias: Bool)
    /// Vectors to vectors.
    case linear(inputs: Int, outputs: Int, bias: Bool)
    case normalisation(settings: NormalisationSettings)
    case activation(function: Activation)
    /// Leaky ReLU with a learned slope: one for all channels, or one per channel.
    case prelu(slopes: Int)
    case pooling(settings: Pooling)
    /// Mean over all positions: maps and sequences to vectors.
    case globalAveragePooling
    case globalMaxPooling
    case upsampling(settings: Upsampling)
    /// Channels of the first input, then those of the second, and so on.
    case concatenation
    case addition
    /// Of a map with another of as many channels, of one channel, or with a vector per image (attention).
    case multiplication
    /// `wholeChannels` drops all positions of a channel together (Dropout2d and Dropout3d in PyTorch).
    case dropout(probability: Float, wholeChannels: Bool)
    /// Over the channels.
    case softmax
    /// Every slice along the depth of a volume becomes an image of the batch: (N, C, S, H, W) to (N·S, C, H, W).
    case slicesToBatch
    /// The way back once every slice is a vector: (N·S, C) to N sequences of S vectors.
    case batchToSequence
    /// Long short-term memory in both directions; the output has 2 · hidden channels.
    case bidirectionalLSTM(inputs: Int, hidden: Int)
    /// Synthetic minority samples among the vectors of a batch, in training only; see `DeepSMOTE`.
    case deepSMOTE(neighbours: Int, includesSelf: Bool)
    /// The central part, size / divisor, of every axis.
    case centreCrop(divisor: Extent3)
}

/// Normalisation of channels, with PyTorch's meaning of every setting.
package struct NormalisationSettings: Hashable, Sendable, Codable {
    package enum Kind: Hashable, Sendable, Codable {
        case batch
        case instance
        case group(groups: Int)
    }

    package var kind: Kind
    package var channels: Int
    /// Added to the variance.
    package var epsilon: Float
    /// Share of the new batch in the running statistics (0.1 in PyTorch is a momentum of 0.9 in Keras).
    package var momentum: Float
    /// Whether a scale and a shift per channel are learned.
    package var isAffine: Bool

    package init(_ kind: Kind, channels: Int, epsilon: Float = 1e-5, momentum: Float = 0.1, isAffine: Bool = true) {
        (self.kind, self.channels, self.epsilon) = (kind, channels, epsilon)
        (self.momentum, self.isAffine) = (momentum, isAffine)
    }
}

/// What is known of a value before sizes are: how many channels, and along how many axes.
package struct ValueKind: Hashable, Sendable, CustomStringConvertible {
    package var channels: Int
    /// 0 a vector per image, 1 a sequence (along the width), 2 a slice, 3 a volume.
    package var rank: Int

    package init(channels: Int, rank: Int) { (self.channels, self.rank) = (channels, rank) }

    package var description: String { "\(channels) channels of a \(Self.name(rank: rank))" }

    static func name(rank: Int) -> String {
        switch rank {
        case 0: "vector"
        case 1: "sequence"
        case 2: "slice"
        default: "volume"
        }
    }
}
