/// Long short-term memory over a sequence, once forwards and once backwards in time; one layer, as `torch.nn.LSTM` with
/// `bidirectional=True`.
///
/// Input: (batch, inputs, 1, 1, times); output: (batch, 2·hidden, 1, 1, times), the forward direction's channels first.
package struct BidirectionalLSTM: Hashable, Sendable, Codable {
    package var inputs, hidden: Int

    package init(inputs: Int, hidden: Int) { (self.inputs, self.hidden) = (inputs, hidden) }

    /// Parameters of one direction, PyTorch's shapes; rows of the gates in the order input, forget, cell, output.
    package struct Direction {
        /// weight_ih_l0 [4·hidden, inputs], weight_hh_l0 [4·hidden, hidden]
        package let inputWeight, hiddenWeight: UnsafePointer<Float>
        /// bias_ih_l0, bias_hh_l0 [4·hidden]
        package let inputBias, hiddenBias: UnsafePointer<Float>

        package init(
            inputWeight: UnsafePointer<Float>, hiddenWeight: UnsafePointer<Float>, inputBias: UnsafePointer<Float>,
            hiddenBias: UnsafePointer<Float>
        ) {
            (self.inputWeight, self.hiddenWeight) = (inputWeight, hiddenWeight)
            (self.inputBias, self.hiddenBias) = (inputBias, hiddenBias)
        }
    }

    /// Where the gradients of one direction's parameters are written.
    package struct DirectionGradient {
        package let inputWeight, hiddenWeight, inputBias, hiddenBias: UnsafeMutablePointer<Float>

        package init(
            inputWeight: UnsafeMutablePointer<Float>, hiddenWeight: UnsafeMutablePointer<Float>,
            inputBias: UnsafeMutablePointer<Float>, hiddenBias: UnsafeMutablePointer<Float>
        ) {
            (self.inputWeight, self.hiddenWeight) = (inputWeight, hiddenWeight)
            (self.inputBias, self.hiddenBias) = (inputBias, hiddenBias)
        }
    }

    /// Hidden values padded to whole vectors.
    private var width: Int { (hidden + 15) / 16 * 16 }
    /// Inputs padded to whole vectors: a row of the input matrix.
    private var inputWidth: Int { (inputs + 15) / 16 * 16 }

    package func outputShape(_ input: FeatureShape) -> FeatureShape {
        FeatureShape(batch: input.batch, channels: 2 * hidden, size: input.size)
    }

    /// Values that `forward` leaves for `backward`: per direction, time and image the four gates, the state and the
    /// output.
    package func savedCount(for input: FeatureShape) -> Int { 2 * input.batch * input.size.width * 6 * width }

    /// - Parameters:
    ///   - directions: forwards, backwards in time.
    ///   - saved: `savedCount` values, overwritten.
    package func forward(
        _ x: FeatureMap, _ directions: (Direction, Direction), to y: FeatureMap,
        saved: UnsafeMutablePointer<Float>, threads: Int
    ) {
        check(x.shape)
        Kernels.check(y, outputShape(x.shape), "The output of an LSTM")
        let input = rows(of: x, from: 0, channels: inputs, width: inputWidth)
        clear(y)
        // The two directions write to different channels, but those may share a block: each fills its own rows first.
        Parallel.forEach(2, threads: threads) { n in
            let part = saved + n * savedCount(for: x.shape) / 2
            run(input.base, n == 0 ? directions.0 : directions.1, isReversed: n == 1, x.shape, part)
        }
        for n in 0..<2 {
            let outputs = saved + n * savedCount(for: x.shape) / 2 + x.shape.batch * x.shape.size.width * 5 * width
            write(outputs, to: y, from: n * hidden, channels: hidden, width: width)
        }
        withExtendedLifetime(input) {}
    }

    /// - Parameters:
    ///   - saved: what `forward` left.
    ///   - dx: shape of x, overwritten.
    ///   - gradients: of the parameters, overwritten.
    package func backward(
        x: FeatureMap, _ directions: (Direction, Direction), saved: UnsafePointer<Float>, gradient dy: FeatureMap,
        to dx: FeatureMap, _ gradients: (DirectionGradient, DirectionGradient), threads: Int
    ) {
        check(x.shape)
        Kernels.check(dy, outputShape(x.shape), "The gradient behind an LSTM")
        Kernels.check(dx, x.shape, "The gradient of an LSTM")
        let input = rows(of: x, from: 0, channels: inputs, width: inputWidth)
        let count = x.shape.batch * x.shape.size.width * inputWidth
        let inputGradients = FeatureStorage(count: 2 * count)
        Parallel.forEach(2, threads: threads) { n in
            let part = saved + n * savedCount(for: x.shape) / 2
            let outputGradient = rows(of: dy, from: n * hidden, channels: hidden, width: width)
            runBackward(
                input.base, n == 0 ? directions.0 : directions.1, isReversed: n == 1, x.shape, part,
                outputGradient.base, inputGradients.base + n * count, n == 0 ? gradients.0 : gradients.1)
            withExtendedLifetime(outputGradient) {}
        }
        addScaled(inputGradients.base + count, 1, inputGradients.base, count / 16, 0)
        clear(dx)
        write(inputGradients.base, to: dx, from: 0, channels: inputs, width: inputWidth)
        withExtendedLifetime((input, inputGradients)) {}
    }

    private func check(_ input: FeatureShape) {
        precondition(
            input.channels == inputs && input.positions == input.size.width,
            "An LSTM of \(inputs) inputs cannot read \(input)")
    }

    // MARK: - Matrices: one row per time and image, time slowest

    private func rows(of map: FeatureMap, from first: Int, channels: Int, width: Int) -> FeatureStorage {
        let (batch, times) = (map.shape.batch, map.shape.size.width)
        let storage = FeatureStorage(count: batch * times * width)
        for time in 0..<times {
            for image in 0..<batch {
                let row = storage.base + (time * batch + image) * width
                for c in 0..<channels {
                    row[c] = map.block((first + c) / 16, image: image)[time * 16 + (first + c) % 16]
                }
            }
        }
        return storage
    }

    private func write(
        _ rows: UnsafePointer<Float>, to map: FeatureMap, from first: Int, channels: Int, width: Int
    ) {
        let (batch, times) = (map.shape.batch, map.shape.size.width)
        for time in 0..<times {
            for image in 0..<batch {
                let row = rows + (time * batch + image) * width
                for c in 0..<channels {
                    map.block((first + c) / 16, image: image)[time * 16 + (first + c) % 16] = row[c]
                }
            }
        }
    }

    /// Zeroes the whole map: padding channels stay so.
    private func clear(_ map: FeatureMap) {
        for image in 0..<map.shape.batch {
            map.block(0, image: image).update(repeating: 0, count: map.shape.imageStride)
        }
    }

    // MARK: - One direction

    /// Weights of the four gates side by side, 4·width columns, one row per input: the transpose of PyTorch's, padded.
    private func transposed(_ weight: UnsafePointer<Float>, inputs: Int) -> FeatureStorage {
        let storage = FeatureStorage(count: inputs * 4 * width)
        for gate in 0..<4 {
            for unit in 0..<hidden {
                let row = weight + (gate * hidden + unit) * inputs
                for k in 0..<inputs { storage.base[k * 4 * width + gate * width + unit] = row[k] }
            }
        }
        return storage
    }

    /// Weights as PyTorch has them, each gate padded to `width` rows and the rows to `columns`.
    private func padded(_ weight: UnsafePointer<Float>, inputs: Int, columns: Int) -> FeatureStorage {
        let storage = FeatureStorage(count: 4 * width * columns)
        for gate in 0..<4 {
            for unit in 0..<hidden {
                (storage.base + (gate * width + unit) * columns)
                    .update(from: weight + (gate * hidden + unit) * inputs, count: inputs)
            }
        }
        return storage
    }

    private func run(
        _ input: UnsafePointer<Float>, _ direction: Direction, isReversed: Bool, _ shape: FeatureShape,
        _ saved: UnsafeMutablePointer<Float>
    ) {
        let (batch, times) = (shape.batch, shape.size.width)
        let gateWidth = 4 * width
        let (gates, states) = (saved, saved + batch * times * gateWidth)
        let outputs = states + batch * times * width
        let bias = FeatureStorage(count: gateWidth)
        for gate in 0..<4 {
            for unit in 0..<hidden {
                let n = gate * hidden + unit
                bias.base[gate * width + unit] = direction.inputBias[n] + direction.hiddenBias[n]
            }
        }
        for row in 0..<batch * times { (gates + row * gateWidth).update(from: bias.base, count: gateWidth) }
        let inputWeight = transposed(direction.inputWeight, inputs: inputs)
        let hiddenWeight = transposed(direction.hiddenWeight, inputs: hidden)
        smallProduct(
            input, inputWidth, 1, inputWeight.base, gateWidth, gates, gateWidth, batch * times, inputs, gateWidth, 1)
        let zero = FeatureStorage(count: width)
        for step in 0..<times {
            let time = isReversed ? times - 1 - step : step
            let before = isReversed ? time + 1 : time - 1
            let now = gates + time * batch * gateWidth
            if step > 0 {
                smallProduct(
                    outputs + before * batch * width, width, 1, hiddenWeight.base, gateWidth, now, gateWidth, batch,
                    hidden, gateWidth, 1)
            }
            for image in 0..<batch {
                let row = (time * batch + image) * width
                memoryCell(
                    now + image * gateWidth, step > 0 ? states + (before * batch + image) * width : zero.base,
                    states + row, outputs + row, width)
            }
        }
        // The loops only know the pointers.
        withExtendedLifetime((bias, inputWeight, hiddenWeight, zero)) {}
    }

    private func runBackward(
        _ input: UnsafePointer<Float>, _ direction: Direction, isReversed: Bool, _ shape: FeatureShape,
        _ saved: UnsafePointer<Float>, _ outputGradient: UnsafeMutablePointer<Float>,
        _ inputGradient: UnsafeMutablePointer<Float>, _ gradient: DirectionGradient
    ) {
        let (batch, times) = (shape.batch, shape.size.width)
        let gateWidth = 4 * width
        let (gates, states) = (saved, saved + batch * times * gateWidth)
        let outputs = states + batch * times * width
        let hiddenWeight = padded(direction.hiddenWeight, inputs: hidden, columns: width)
        let gateGradients = FeatureStorage(count: batch * times * gateWidth)
        let stateGradient = FeatureStorage(count: batch * width)
        let zero = FeatureStorage(count: width)
        let weightSums = FeatureStorage(count: gateWidth * max(width, inputWidth))
        for step in stride(from: times - 1, through: 0, by: -1) {
            let time = isReversed ? times - 1 - step : step
            let before = isReversed ? time + 1 : time - 1
            let now = gateGradients.base + time * batch * gateWidth
            for image in 0..<batch {
                let row = time * batch + image
                memoryCellBackward(
                    gates + row * gateWidth,
                    step > 0 ? states + (before * batch + image) * width : UnsafePointer(zero.base),
                    states + row * width, outputGradient + row * width, stateGradient.base + image * width,
                    now + image * gateWidth, width)
            }
            if step > 0 {
                smallProduct(
                    now, gateWidth, 1, hiddenWeight.base, width, outputGradient + before * batch * width, width,
                    batch, gateWidth, width, 1)
            }
        }
        let inputWeight = padded(direction.inputWeight, inputs: inputs, columns: inputWidth)
        smallProduct(
            gateGradients.base, gateWidth, 1, inputWeight.base, inputWidth, inputGradient, inputWidth, batch * times,
            gateWidth, inputWidth, 0)
        smallProduct(
            gateGradients.base, 1, gateWidth, input, inputWidth, weightSums.base, inputWidth, gateWidth,
            batch * times, inputWidth, 0)
        copyGates(weightSums.base, inputWidth, to: gradient.inputWeight, inputs)
        // The output before each step: rows of the other times, shifted by one time.
        let (now, before) = isReversed ? (0, batch) : (batch, 0)
        smallProduct(
            gateGradients.base + now * gateWidth, 1, gateWidth, outputs + before * width, width, weightSums.base,
            width, gateWidth, batch * (times - 1), width, 0)
        copyGates(weightSums.base, width, to: gradient.hiddenWeight, hidden)
        for gate in 0..<4 {
            for unit in 0..<hidden {
                var sum = 0.0
                for row in 0..<batch * times {
                    sum += Double(gateGradients.base[row * gateWidth + gate * width + unit])
                }
                gradient.inputBias[gate * hidden + unit] = Float(sum)
                gradient.hiddenBias[gate * hidden + unit] = Float(sum)
            }
        }
        withExtendedLifetime((hiddenWeight, gateGradients, stateGradient, zero, weightSums, inputWeight)) {}
    }

    /// From gates padded to `width` rows of `columns` values to PyTorch's [4·hidden, inputs].
    private func copyGates(
        _ sums: UnsafePointer<Float>, _ columns: Int, to target: UnsafeMutablePointer<Float>, _ inputs: Int
    ) {
        for gate in 0..<4 {
            for unit in 0..<hidden {
                (target + (gate * hidden + unit) * inputs)
                    .update(from: sums + (gate * width + unit) * columns, count: inputs)
            }
        }
    }
}
