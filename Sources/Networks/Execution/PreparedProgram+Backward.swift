import Kernels

extension PreparedProgram {
    /// Runs one step of the backward pass; the gradients of the outputs have been made.
    func backward(_ index: Int, _ training: Training) {
        let step = program.steps[index]
        let first = maps[step.inputs[0]]
        /// The gradient of the layer's output is always the last input.
        let dy = maps[step.inputs[step.inputs.count - 1]]
        let dx = step.outputs.first.map { maps[$0] } ?? dy
        switch step.operation {
        case .convolutionInputGradient(let geometry, let weight):
            ConvolutionGradient.input(
                geometry, weight: parameters[weight]!, outputGradient: dy, to: dx, threads: threads)
        case .transposedConvolutionInputGradient(let geometry, let weight):
            TransposedConvolutionGradient.input(
                geometry, weight: parameters[weight]!, outputGradient: dy, to: dx, threads: threads)
        case .convolutionWeightGradient(let geometry, let weight, let bias)
        where program.planarInputs.contains(step.inputs[0]):
            ConvolutionGradient.weight(
                geometry, planar: first.base, shape: first.shape, outputGradient: dy, to: gradients[weight]!,
                bias: bias.map { gradients[$0]! }, threads: threads)
        case .convolutionWeightGradient(let geometry, let weight, let bias):
            ConvolutionGradient.weight(
                geometry, input: first, outputGradient: dy, to: gradients[weight]!,
                bias: bias.map { gradients[$0]! }, threads: threads)
        case .transposedConvolutionWeightGradient(let geometry, let weight, let bias):
            TransposedConvolutionGradient.weight(
                geometry, input: first, outputGradient: dy, to: gradients[weight]!,
                bias: bias.map { gradients[$0]! }, threads: threads)
        case .epilogueBackward(let epilogue):
            Addition.backward(y: first, activation: epilogue, gradient: dy, to: dx, threads: threads)
        case .normalisationBackward(let normalisation):
            normalisation.settings.layer.backward(
                x: first, saved: saved(normalisation.site), scale: normalisation.scale.map { parameters[$0]! },
                shift: normalisation.shift.map { parameters[$0]! }, gradient: dy, activation: normalisation.epilogue,
                to: dx, scaleGradient: normalisation.scale.flatMap { gradients[$0] },
                shiftGradient: normalisation.shift.flatMap { gradients[$0] }, threads: threads)
        case .activationBackward(let function):
            function.backward(x: first, y: first, gradient: dy, to: dx, threads: threads)
        case .preluBackward(let slope, let slopes):
            PReLU.backward(
                x: first, slope: parameters[slope]!, slopes: slopes, gradient: dy, to: dx,
                slopeGradient: gradients[slope]!, threads: threads)
        case .maxPoolingBackward(let settings):
            settings.backward(x: first, y: maps[step.inputs[1]], gradient: dy, to: dx, threads: threads)
        case .averagePoolingBackward(let settings):
            settings.backward(x: dx, y: dy, gradient: dy, to: dx, threads: threads)
        case .globalMaxPoolingBackward:
            GlobalMaxPooling.backward(x: first, y: maps[step.inputs[1]], gradient: dy, to: dx, threads: threads)
        case .globalAveragePoolingBackward: GlobalAveragePooling.backward(gradient: dy, to: dx, threads: threads)
        case .upsamplingBackward(let settings): settings.backward(gradient: dy, to: dx, threads: threads)
        case .dropoutBackward(let probability, let wholeChannels, let site):
            Dropout(probability: probability, channelwise: wholeChannels).backward(
                gradient: dy, to: dx, random: training.random, place: (training.epoch, training.batch, site),
                threads: threads)
        case .softmaxBackward: Softmax.probabilities.backward(y: first, gradient: dy, to: dx, threads: threads)
        case .slicesToBatchBackward: Reordering.slicesToVolumes(dy, to: dx, threads: threads)
        case .batchToSequenceBackward: Reordering.sequencesToVectors(dy, to: dx, threads: threads)
        case .deepSMOTEBackward: DeepSMOTE.backward(mixtures, gradient: dy, to: dx)
        case .centreCropBackward: CentreCrop.backward(gradient: dy, to: dx, threads: threads)
        case .lstmBackward(let hidden, let weights, let site):
            BidirectionalLSTM(inputs: first.shape.channels, hidden: hidden).backward(
                x: first, directions(weights), saved: saved(site), gradient: dy, to: dx,
                (directionGradient(weights, 0), directionGradient(weights, 4)), threads: threads)
        case .multiplicationBackward:
            Multiplication.backward(
                first, maps[step.inputs[1]], gradient: dy, to: dx, maps[step.outputs[1]], threads: threads)
        case .slice, .addition: forward(index, .training(training))
        default: preconditionFailure("\(step.name): not a step of the backward pass")
        }
    }

    private func directionGradient(_ weights: [Int], _ first: Int) -> BidirectionalLSTM.DirectionGradient {
        BidirectionalLSTM.DirectionGradient(
            inputWeight: gradients[weights[first]]!, hiddenWeight: gradients[weights[first + 1]]!,
            inputBias: gradients[weights[first + 2]]!, hiddenBias: gradients[weights[first + 3]]!)
    }
}
