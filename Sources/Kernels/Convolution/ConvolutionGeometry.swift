/// What a convolution is: channels, kernel and how the kernel steps over the input. Two-dimensional convolutions have
/// depth 1 and kernel depth 1. Cross-correlation, as in PyTorch; outside the input there are zeros.
package struct ConvolutionGeometry: Hashable, Sendable, Codable {
    package var inputChannels, outputChannels: Int
    package var kernel, stride, padding, dilation: Extent3
    /// Channels of a group of outputs see the channels of the same group of inputs only.
    package var groups: Int

    package init(
        inputChannels: Int, outputChannels: Int, kernel: Extent3, stride: Extent3 = .one, padding: Extent3 = .zero,
        dilation: Extent3 = .one, groups: Int = 1
    ) {
        (self.inputChannels, self.outputChannels) = (inputChannels, outputChannels)
        (self.kernel, self.stride, self.padding, self.dilation) = (kernel, stride, padding, dilation)
        self.groups = groups
    }

    /// Size of the output; nil when the kernel does not fit into the padded input.
    package func outputSize(_ input: Extent3) -> Extent3? {
        func length(_ n: Int, _ axis: KeyPath<Extent3, Int>) -> Int {
            let room = n + 2 * padding[keyPath: axis] - dilation[keyPath: axis] * (kernel[keyPath: axis] - 1) - 1
            return room < 0 ? 0 : room / stride[keyPath: axis] + 1
        }
        let size = Extent3(length(input.depth, \.depth), length(input.height, \.height), length(input.width, \.width))
        return size.depth > 0 && size.height > 0 && size.width > 0 ? size : nil
    }

    /// [outputs, inputs of a group, kernel depth, height, width]
    package var weightShape: [Int] {
        [outputChannels, inputChannels / groups, kernel.depth, kernel.height, kernel.width]
    }
}

/// What a transposed convolution is: the input gradient of the convolution with the same numbers, as in PyTorch.
package struct TransposedConvolutionGeometry: Hashable, Sendable, Codable {
    package var inputChannels, outputChannels: Int
    package var kernel, stride, padding, outputPadding, dilation: Extent3
    package var groups: Int

    package init(
        inputChannels: Int, outputChannels: Int, kernel: Extent3, stride: Extent3 = .one, padding: Extent3 = .zero,
        outputPadding: Extent3 = .zero, dilation: Extent3 = .one, groups: Int = 1
    ) {
        (self.inputChannels, self.outputChannels) = (inputChannels, outputChannels)
        (self.kernel, self.stride, self.padding, self.dilation) = (kernel, stride, padding, dilation)
        (self.outputPadding, self.groups) = (outputPadding, groups)
    }

    /// Size of the output; nil when the padding leaves nothing.
    package func outputSize(_ input: Extent3) -> Extent3? {
        func length(_ n: Int, _ axis: KeyPath<Extent3, Int>) -> Int {
            (n - 1) * stride[keyPath: axis] - 2 * padding[keyPath: axis]
                + dilation[keyPath: axis] * (kernel[keyPath: axis] - 1) + outputPadding[keyPath: axis] + 1
        }
        let size = Extent3(length(input.depth, \.depth), length(input.height, \.height), length(input.width, \.width))
        return size.depth > 0 && size.height > 0 && size.width > 0 ? size : nil
    }

    /// [inputs, outputs of a group, kernel depth, height, width]
    package var weightShape: [Int] {
        [inputChannels, outputChannels / groups, kernel.depth, kernel.height, kernel.width]
    }

    /// The convolution whose input gradient this is.
    var mirrored: ConvolutionGeometry {
        ConvolutionGeometry(
            inputChannels: outputChannels, outputChannels: inputChannels, kernel: kernel, stride: stride,
            padding: padding, dilation: dilation, groups: groups)
    }
}
