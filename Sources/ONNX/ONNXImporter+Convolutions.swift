import Kernels
import Networks

/// Kernel, stride, padding and dilation of a node.
struct Window {
    let kernel, stride, dilation, padding: Extent3

    /// - Parameter kernel: from the node or the shape of its weight.
    init(_ node: ONNXNode, spatialAxes: Int, kernel: [Int]?) throws {
        guard spatialAxes == 2 || spatialAxes == 3 else {
            throw NodeProblem.unsupported("images have two or three spatial axes, not \(spatialAxes)")
        }
        guard let kernel, kernel.count == spatialAxes else {
            throw NodeProblem.invalid("has a kernel that does not match \(spatialAxes) spatial axes")
        }
        let ones = [Int](repeating: 1, count: spatialAxes)
        let strides = try node.integers("strides") ?? ones
        let dilations = try node.integers("dilations") ?? ones
        guard strides.count == spatialAxes, dilations.count == spatialAxes,
            (kernel + strides + dilations).allSatisfy({ $0 > 0 && $0 <= Bounds.axis })
        else {
            throw NodeProblem.invalid(
                "has the kernel \(kernel), strides \(strides) and dilations \(dilations); for \(spatialAxes) spatial axes "
                    + "they are as many numbers from 1 to \(Bounds.axis)")
        }
        var begin = [Int](repeating: 0, count: spatialAxes)
        var end = begin
        switch node.text("auto_pad", "NOTSET") {
        case "NOTSET":
            if let pads = try node.integers("pads") {
                guard pads.count == 2 * spatialAxes else { throw NodeProblem.invalid("has \(pads.count) paddings") }
                (begin, end) = (Array(pads.prefix(spatialAxes)), Array(pads.suffix(spatialAxes)))
            }
        case "VALID": break
        case "SAME_UPPER", "SAME_LOWER":
            for axis in 0..<spatialAxes {
                let reach = dilations[axis] * (kernel[axis] - 1)
                guard strides[axis] == 1, reach % 2 == 0 else {
                    throw NodeProblem.unsupported("with a stride or an even kernel, padding is given in numbers (pads)")
                }
                (begin[axis], end[axis]) = (reach / 2, reach / 2)
            }
        case let other: throw NodeProblem.invalid("has the unknown padding \(other)")
        }
        guard begin == end, begin.allSatisfy({ $0 >= 0 }) else {
            throw NodeProblem.unsupported("padding is the same on both sides of an axis, not \(begin) and \(end)")
        }
        self.kernel = Extent3(spatialAxes: kernel, else: 1)
        stride = Extent3(spatialAxes: strides, else: 1)
        dilation = Extent3(spatialAxes: dilations, else: 1)
        padding = Extent3(spatialAxes: begin, else: 0)
    }
}

/// Convolutions and linear layers.
extension ONNXImporter {
    mutating func convolution(_ node: ONNXNode) throws -> Map {
        var x = try pendingMap(node)
        let weight = try constant(node, 1)
        let bias = try optionalConstant(node, 2)
        guard x.groups == nil, x.flattened == nil else {
            throw NodeProblem.unsupported("a convolution needs a map with its positions")
        }
        let groups = try node.integer("group", 1)
        guard weight.shape.count == x.spatialAxes + 2, groups > 0, weight.shape[1] * groups == x.channels else {
            throw NodeProblem.invalid(
                "has a weight of shape \(weight.shape) for \(x.channels) channels in \(groups) groups")
        }
        let window = try weightedWindow(node, weight, spatialAxes: x.spatialAxes)
        if x.value.rank == 0 {
            guard window.kernel == .one, window.padding == .zero, groups == 1 else {
                throw NodeProblem.unsupported("after a global pooling a convolution has the kernel 1 and no padding")
            }
            return try linear(
                node, x, weight: weight.floats, outputs: weight.shape[0], bias: bias?.floats, name: node.input[1])
        }
        let padding = Extent3(
            window.padding.depth + x.padding.depth, window.padding.height + x.padding.height,
            window.padding.width + x.padding.width)
        x.padding = .zero
        let geometry = ConvolutionGeometry(
            inputChannels: x.channels, outputChannels: weight.shape[0], kernel: window.kernel, stride: window.stride,
            padding: padding, dilation: window.dilation, groups: groups)
        var parameters = ["weight": Tensor(shape: weight.shape, values: weight.floats)]
        if let bias { parameters["bias"] = try vector(bias, geometry.outputChannels) }
        return try add(
            node, .convolution(geometry: geometry, bias: bias != nil), [x], weight: node.input[1],
            size: fitted(x) { geometry.outputSize($0) }, parameters: parameters)
    }

    mutating func transposedConvolution(_ node: ONNXNode) throws -> Map {
        let x = try map(node)
        let weight = try constant(node, 1)
        let bias = try optionalConstant(node, 2)
        let groups = try node.integer("group", 1)
        guard node.attribute("output_shape") == nil else {
            throw NodeProblem.unsupported("the output's size follows from pads and output_padding, not output_shape")
        }
        guard weight.shape.count == x.spatialAxes + 2, weight.shape[0] == x.channels, groups > 0 else {
            throw NodeProblem.invalid("has a weight of shape \(weight.shape) for \(x.channels) channels")
        }
        let window = try weightedWindow(node, weight, spatialAxes: x.spatialAxes)
        let extra = try node.integers("output_padding") ?? [Int](repeating: 0, count: x.spatialAxes)
        guard extra.count == x.spatialAxes else { throw NodeProblem.invalid("has \(extra.count) output paddings") }
        let geometry = TransposedConvolutionGeometry(
            inputChannels: x.channels, outputChannels: weight.shape[1] * groups, kernel: window.kernel,
            stride: window.stride, padding: window.padding, outputPadding: Extent3(spatialAxes: extra, else: 0),
            dilation: window.dilation, groups: groups)
        var parameters = ["weight": Tensor(shape: weight.shape, values: weight.floats)]
        if let bias { parameters["bias"] = try vector(bias, geometry.outputChannels) }
        return try add(
            node, .transposedConvolution(geometry: geometry, bias: bias != nil), [x], weight: node.input[1],
            size: fitted(x) { geometry.outputSize($0) }, parameters: parameters)
    }

    /// The window of a node whose weight has it as its last axes.
    private func weightedWindow(_ node: ONNXNode, _ weight: ONNXConstant, spatialAxes: Int) throws -> Window {
        let kernel = Array(weight.shape.dropFirst(2))
        if let told = try node.integers("kernel_shape"), told != kernel {
            throw NodeProblem.invalid("has the kernel_shape \(told) and a weight of shape \(weight.shape)")
        }
        return try Window(node, spatialAxes: spatialAxes, kernel: kernel)
    }

    mutating func gemm(_ node: ONNXNode) throws -> Map {
        let x = try pendingMap(node)
        let weight = try constant(node, 1)
        guard try node.integer("transA", 0) == 0, weight.shape.count == 2, weight.count > 0 else {
            throw NodeProblem.unsupported("the image comes first and as it is (transA 0), the weight is a matrix")
        }
        let isTransposed = try node.integer("transB", 0) != 0
        let alpha = node.number("alpha", 1)
        let (outputs, inputs) = isTransposed ? (weight.shape[0], weight.shape[1]) : (weight.shape[1], weight.shape[0])
        let rows = (isTransposed ? weight.floats : transposed(weight.floats, inputs, outputs)).map { $0 * alpha }
        let beta = node.number("beta", 1)
        let bias = try optionalConstant(node, 2).map { constant -> [Float] in
            let values = constant.floats.map { $0 * beta }
            guard values.count == 1 || values.count == outputs else {
                throw NodeProblem.invalid("adds \(constant.shape) to \(outputs) outputs")
            }
            return values.count == outputs ? values : [Float](repeating: values[0], count: outputs)
        }
        return try linear(node, x, weight: rows, outputs: outputs, bias: bias, name: node.input[1])
    }

    /// With the addition of a constant that may follow.
    mutating func matrixProduct(_ node: ONNXNode) throws -> Map {
        let x = try pendingMap(node)
        guard isConstant(node, 1) else {
            throw NodeProblem.unsupported("an image is multiplied by a constant matrix, not by another image")
        }
        let weight = try constant(node, 1)
        guard weight.shape.count == 2, weight.count > 0, x.spatialAxes == 0 else {
            throw NodeProblem.unsupported("a vector is multiplied by a matrix; maps take convolutions")
        }
        let outputs = weight.shape[1]
        let rows = transposed(weight.floats, weight.shape[0], outputs)
        var bias: [Float]?
        var adding: (number: Int, node: ONNXNode)?
        if let reader = onlyReader(of: node.output[0]), reader.node.opType == "Add", reader.node.input.count == 2 {
            let other = reader.node.input[0] == node.output[0] ? 1 : 0
            if case .constant(let constant) = meanings[reader.node.input[other]], constant.count == outputs {
                (bias, adding) = (constant.floats, reader)
            }
        }
        let result = try linear(node, x, weight: rows, outputs: outputs, bias: bias, name: node.input[1])
        if let adding {
            absorbed.insert(adding.number)
            meanings[adding.node.output[0]] = .map(result)
        }
        return result
    }

    /// A linear layer; on a flattened map a convolution over all of it.
    private mutating func linear(
        _ node: ONNXNode, _ given: Map, weight: [Float], outputs: Int, bias: [Float]?, name: String
    ) throws -> Map {
        var x = given
        let inputs = outputs > 0 ? weight.count / outputs : 0
        guard x.padding == .zero, x.groups == nil else {
            throw NodeProblem.unsupported("a linear layer needs a plain vector")
        }
        if let size = x.flattened {
            guard x.channels * size.product == inputs else {
                throw NodeProblem.invalid("takes \(inputs) values and is given \(x.channels) channels of \(size)")
            }
            x.flattened = nil
            let geometry = ConvolutionGeometry(inputChannels: x.channels, outputChannels: outputs, kernel: size)
            let shape = x.value.rank == 3 ? geometry.weightShape : [outputs, x.channels, size.height, size.width]
            var parameters = ["weight": Tensor(shape: shape, values: weight)]
            if let bias { parameters["bias"] = Tensor(shape: [outputs], values: bias) }
            let one = try add(
                node, .convolution(geometry: geometry, bias: bias != nil), [x], weight: name, size: .one,
                parameters: parameters)
            notes.append("\(node.label) sees the whole map: the network takes inputs of the exported size only.")
            return try add(node, .globalAveragePooling, [one], size: .one, spatialAxes: 0)
        }
        guard x.value.rank == 0, x.channels == inputs else {
            throw NodeProblem.invalid("takes \(inputs) values and is given \(x.channels)")
        }
        var parameters = ["weight": Tensor(shape: [outputs, inputs], values: weight)]
        if let bias { parameters["bias"] = Tensor(shape: [outputs], values: bias) }
        return try add(
            node, .linear(inputs: inputs, outputs: outputs, bias: bias != nil), [x], weight: name, size: .one,
            parameters: parameters)
    }

    func vector(_ constant: ONNXConstant, _ count: Int) throws -> Tensor {
        guard constant.count == count else {
            throw NodeProblem.invalid("has \(constant.shape) values where \(count) are needed")
        }
        return Tensor(shape: [count], values: constant.floats)
    }

    private func transposed(_ values: [Float], _ rows: Int, _ columns: Int) -> [Float] {
        var result = values
        for r in 0..<rows { for c in 0..<columns { result[c * rows + r] = values[r * columns + c] } }
        return result
    }
}
