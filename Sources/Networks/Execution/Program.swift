import Kernels

/// A network brought into the steps that are really run, for inputs of one shape: layers fused, values numbered. In
/// training the steps of the backward pass follow those of the forward pass, so that one analysis of lifetimes serves
/// both. Every value is written by one step; where its memory is, `BufferPlan` decides.
struct Program: Sendable {
    struct Step: Sendable {
        /// Of the layer, for messages.
        let name: String
        let operation: Operation
        /// Values that are read.
        let inputs: [Int]
        /// Values that are written; steps that only make gradients of parameters write none.
        let outputs: [Int]
    }

    /// Shapes of the values.
    var shapes: [FeatureShape] = []
    /// Values given from outside; they are never overwritten.
    var inputs: [Int] = []
    /// Those of the inputs that lie in memory as they are given, batch, channel, depth, height, width, and are no maps.
    var planarInputs: Set<Int> = []
    var steps: [Step] = []
    /// Results of the network.
    var outputs: [Int] = []
    /// The step up to which the results are kept; nil for beyond the last one.
    var outputsLastRead: Int?
    /// Gradients of the inputs, which are kept beyond the last step; nil where nothing comes back or none was asked for.
    var inputGradients: [Int?] = []
    /// Steps of the forward pass; the rest is the backward pass.
    var forwardCount = 0

    /// Leaves inputs of few channels as they are where only convolutions read them: a map of blocks of channels would be
    /// many times larger.
    mutating func readInputsAsGiven() {
        for input in inputs where shapes[input].channels < FeatureShape.lanes && !outputs.contains(input) {
            let allCan = steps.allSatisfy { step in
                guard step.inputs.contains(input) else { return true }
                switch step.operation {
                case .convolution: return true
                case .convolutionWeightGradient: return step.inputs[0] == input && step.inputs[1] != input
                default: return false
                }
            }
            if allCan { planarInputs.insert(input) }
        }
    }

    /// Whether there is a backward pass.
    var isTrained: Bool { forwardCount < steps.count }

    /// Values that a value takes in memory.
    func storedCount(_ value: Int) -> Int {
        planarInputs.contains(value) ? shapes[value].count : shapes[value].storedCount
    }

    mutating func value(_ shape: FeatureShape) -> Int {
        shapes.append(shape)
        return shapes.count - 1
    }

    /// Appends a step that makes a value of `shape`.
    mutating func add(_ name: String, _ operation: Operation, _ inputs: [Int], _ shape: FeatureShape) -> Int {
        let output = value(shape)
        steps.append(Step(name: name, operation: operation, inputs: inputs, outputs: [output]))
        return output
    }
}

/// What a step computes. Parameters are numbered as in `Network.parameters`. The comment gives the inputs.
enum Operation: Hashable, Sendable {
    /// x
    case convolution(ConvolutionGeometry, weight: Int, bias: Int?, epilogue: Epilogue)
    case transposedConvolution(TransposedConvolutionGeometry, weight: Int, bias: Int?, epilogue: Epilogue)
    case normalisation(NormalisationStep)
    case activation(Activation)
    case prelu(slope: Int, slopes: Int)
    case pooling(Pooling)
    case globalAveragePooling
    case globalMaxPooling
    case upsampling(Upsampling)
    case dropout(probability: Float, wholeChannels: Bool, site: UInt32)
    case softmax
    case slicesToBatch
    case batchToSequence
    case lstm(hidden: Int, parameters: [Int], site: Int)
    case deepSMOTE(DeepSMOTE)
    case centreCrop(Extent3)
    /// Channels from `first` on, as many as the output has.
    case slice(first: Int)
    /// Two or more values.
    case concatenation
    case addition(epilogue: Epilogue)
    /// a, b
    case multiplication

    /// logits of one output of the network; makes their gradient
    case lossGradient(output: Int)

    /// dy
    case convolutionInputGradient(ConvolutionGeometry, weight: Int)
    case transposedConvolutionInputGradient(TransposedConvolutionGeometry, weight: Int)
    /// x, dy; make gradients of parameters
    case convolutionWeightGradient(ConvolutionGeometry, weight: Int, bias: Int?)
    case transposedConvolutionWeightGradient(TransposedConvolutionGeometry, weight: Int, bias: Int?)
    /// y, dy
    case epilogueBackward(Epilogue)
    /// x, dy
    case normalisationBackward(NormalisationStep)
    /// x where the activation needs it, else y; dy
    case activationBackward(Activation)
    /// x, dy
    case preluBackward(slope: Int, slopes: Int)
    /// x, y, dy
    case maxPoolingBackward(Pooling)
    case globalMaxPoolingBackward
    /// dy
    case averagePoolingBackward(Pooling)
    case globalAveragePoolingBackward
    case upsamplingBackward(Upsampling)
    case dropoutBackward(probability: Float, wholeChannels: Bool, site: UInt32)
    case slicesToBatchBackward
    case batchToSequenceBackward
    case deepSMOTEBackward(DeepSMOTE)
    case centreCropBackward(Extent3)
    /// y, dy
    case softmaxBackward
    /// x, dy; also makes gradients of parameters
    case lstmBackward(hidden: Int, parameters: [Int], site: Int)
    /// a, b, dy; gradients of both
    case multiplicationBackward
}

struct NormalisationStep: Hashable, Sendable {
    let settings: NormalisationSettings
    let scale, shift, mean, variance: Int?
    let epilogue: Epilogue
    /// Number of the layer: its place among what the forward pass saves for the backward pass.
    let site: Int
}

extension Operation {
    /// Positions of the inputs that the first output may overwrite: steps that read a position before they write it.
    var overwritable: [Int] {
        switch self {
        case .normalisation, .activation, .prelu, .dropout, .softmax, .dropoutBackward, .multiplication: [0]
        case .addition: [0, 1]
        case .epilogueBackward, .activationBackward, .preluBackward, .softmaxBackward, .normalisationBackward: [1]
        case .multiplicationBackward: [2]
        default: []
        }
    }
}
