import Kernels

/// One learned tensor of a network, or one running statistic. Name and shape are those of PyTorch's `state_dict`.
package struct Parameter: Hashable, Sendable {
    package enum Role: Hashable, Sendable {
        /// Of convolutions and linear layers; the fans are PyTorch's.
        case weight(fanIn: Int, fanOut: Int)
        case bias(fanIn: Int)
        /// Weight and bias of a normalisation.
        case scale
        case shift
        /// Of PReLU.
        case slope
        /// All weights and biases of an LSTM.
        case recurrent(hidden: Int)
        case runningMean
        case runningVariance
    }

    /// Name of the layer, a point, and `weight`, `bias`, `running_mean`, `running_var` or the LSTM's `weight_ih_l0` …
    package let name: String
    package let shape: [Int]
    package let role: Role

    package var count: Int { shape.reduce(1, *) }

    /// Running statistics are not: they follow from the data, not from gradients.
    package var isTrainable: Bool { role != .runningMean && role != .runningVariance }
}

extension Network {
    /// All parameters in the order of the layers, running statistics beside the layer they belong to.
    package var parameters: [Parameter] {
        let kinds = self.kinds
        return nodes.flatMap { $0.layer.parameters(of: $0.name, rank: kinds[$0.name]?.rank ?? 3) }
    }

    /// Values that are learned.
    package var trainableCount: Int { parameters.filter(\.isTrainable).reduce(0) { $0 + $1.count } }

    /// Values of running means and variances.
    package var runningStatisticsCount: Int { parameters.filter { !$0.isTrainable }.reduce(0) { $0 + $1.count } }

    /// Learned values by the part of a name before its first point, in order.
    package var trainableCountByBranch: [(branch: String, count: Int)] {
        var counts: [(branch: String, count: Int)] = []
        for parameter in parameters where parameter.isTrainable {
            let branch = String(parameter.name.prefix { $0 != "." })
            if counts.last?.branch == branch {
                counts[counts.count - 1].count += parameter.count
            } else {
                counts.append((branch, parameter.count))
            }
        }
        return counts
    }
}

extension Layer {
    /// Names of the parameters within the layer, in the order PyTorch lists them.
    func parameters(of name: String, rank: Int) -> [Parameter] {
        func make(_ part: String, _ shape: [Int], _ role: Parameter.Role) -> Parameter {
            Parameter(name: "\(name).\(part)", shape: shape, role: role)
        }
        /// PyTorch's weights of two-dimensional layers have no axis for the depth.
        func spatial(_ shape: [Int]) -> [Int] { rank == 3 ? shape : Array(shape[0..<2] + shape[3..<5]) }

        switch self {
        case .convolution(let geometry, let bias):
            let window = geometry.kernel.product
            let fanIn = geometry.inputChannels / geometry.groups * window
            // As PyTorch counts, by the axes of the weight: all outputs, of which each group makes a part.
            let fans = Parameter.Role.weight(fanIn: fanIn, fanOut: geometry.outputChannels * window)
            return [make("weight", spatial(geometry.weightShape), fans)]
                + (bias ? [make("bias", [geometry.outputChannels], .bias(fanIn: fanIn))] : [])
        case .transposedConvolution(let geometry, let bias):
            // PyTorch takes the fans from the axes of the weight, which are the other way round here.
            let window = geometry.kernel.product
            let fanIn = geometry.outputChannels / geometry.groups * window
            let fans = Parameter.Role.weight(fanIn: fanIn, fanOut: geometry.inputChannels * window)
            return [make("weight", spatial(geometry.weightShape), fans)]
                + (bias ? [make("bias", [geometry.outputChannels], .bias(fanIn: fanIn))] : [])
        case .linear(let inputs, let outputs, let bias):
            return [make("weight", [outputs, inputs], .weight(fanIn: inputs, fanOut: outputs))]
                + (bias ? [make("bias", [outputs], .bias(fanIn: inputs))] : [])
        case .normalisation(let settings):
            var parameters: [Parameter] = []
            if settings.isAffine {
                parameters += [make("weight", [settings.channels], .scale), make("bias", [settings.channels], .shift)]
            }
            if settings.kind == .batch {
                parameters.append(make("running_mean", [settings.channels], .runningMean))
                parameters.append(make("running_var", [settings.channels], .runningVariance))
            }
            return parameters
        case .prelu(let slopes): return [make("weight", [slopes], .slope)]
        case .bidirectionalLSTM(let inputs, let hidden):
            return ["", "_reverse"].flatMap { direction in
                [
                    make("weight_ih_l0" + direction, [4 * hidden, inputs], .recurrent(hidden: hidden)),
                    make("weight_hh_l0" + direction, [4 * hidden, hidden], .recurrent(hidden: hidden)),
                    make("bias_ih_l0" + direction, [4 * hidden], .recurrent(hidden: hidden)),
                    make("bias_hh_l0" + direction, [4 * hidden], .recurrent(hidden: hidden)),
                ]
            }
        case .activation, .pooling, .globalAveragePooling, .globalMaxPooling, .upsampling, .concatenation, .addition,
            .multiplication, .dropout, .softmax, .slicesToBatch, .batchToSequence, .deepSMOTE, .centreCrop:
            return []
        }
    }
}
