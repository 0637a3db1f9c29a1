import Kernels
import Networks

/// Which layer a node is.
extension ONNXImporter {
    /// What the importer takes, for messages.
    static let operations = [
        "Add", "AveragePool", "BatchNormalization", "Cast", "Clip (to 0 and up)", "Concat", "Conv", "ConvTranspose",
        "Div",
        "Dropout", "Flatten", "Gemm", "GlobalAveragePool", "GlobalMaxPool", "GroupNormalization", "Identity",
        "InstanceNormalization", "LeakyRelu", "LogSoftmax", "MatMul", "MaxPool", "Mul", "Pad", "PRelu", "ReduceMean",
        "Relu", "Reshape", "Resize", "Sigmoid", "Softmax", "Squeeze", "Sub", "Sum", "Swish", "Tanh", "Unsqueeze",
        "Upsample",
    ]

    mutating func layer(_ node: ONNXNode, number: Int) throws -> Map {
        switch node.opType {
        case "Conv": return try convolution(node)
        case "ConvTranspose": return try transposedConvolution(node)
        case "Gemm": return try gemm(node)
        case "MatMul": return try matrixProduct(node)
        case "BatchNormalization": return try batchNormalisation(node)
        case "InstanceNormalization": return try instanceNormalisation(node)
        case "GroupNormalization": return try groupNormalisation(node)
        case "Relu": return try activation(node, .relu)
        case "LeakyRelu": return try activation(node, .leakyRelu(slope: node.number("alpha", 0.01)))
        case "Tanh": return try activation(node, .tanh)
        case "Sigmoid": return try sigmoid(node)
        case "Swish":
            guard node.number("alpha", 1) == 1 else { throw NodeProblem.unsupported("alpha must be 1") }
            return try activation(node, .swish)
        case "Clip": return try clip(node)
        case "PRelu": return try prelu(node)
        case "Softmax", "LogSoftmax": return try softmax(node)
        case "MaxPool": return try pooling(node, .max)
        case "AveragePool": return try pooling(node, .average)
        case "GlobalAveragePool": return try globalPooling(node, .globalAveragePooling, keepsAxes: true)
        case "GlobalMaxPool": return try globalPooling(node, .globalMaxPooling, keepsAxes: true)
        case "ReduceMean", "ReduceMax": return try reduction(node)
        case "Concat": return try concatenation(node)
        case "Add", "Sum": return try addition(node)
        case "Sub", "Div": return try affine(node)
        case "Mul": return try product(node)
        case "Resize", "Upsample": return try upsampling(node)
        case "Pad": return try padding(node)
        case "Flatten", "Reshape", "Squeeze", "Unsqueeze": return try reshaping(node)
        case "Identity", "Dropout": return try pendingMap(node)
        case "Cast":
            // 1, 10, 11 and 16 are the floating-point types.
            guard try [1, 10, 11, 16].contains(node.integer("to", 1)) else {
                throw NodeProblem.unsupported("values stay floating-point numbers")
            }
            return try pendingMap(node)
        default:
            throw NodeProblem.unsupported("taken are \(Self.operations.joined(separator: ", "))")
        }
    }

    // MARK: - Activations

    private mutating func activation(_ node: ONNXNode, _ function: Activation) throws -> Map {
        let x = try map(node)
        return try add(node, .activation(function: function), [x], size: x.size)
    }

    /// A sigmoid, or with the multiplication of its input by it, Swish.
    private mutating func sigmoid(_ node: ONNXNode) throws -> Map {
        let x = try map(node)
        if let (number, reader) = onlyReader(of: node.output[0]), reader.opType == "Mul",
            Set(reader.input) == [node.input[0], node.output[0]]
        {
            absorbed.insert(number)
            let result = try add(node, .activation(function: .swish), [x], size: x.size)
            meanings[reader.output[0]] = .map(result)
            return result
        }
        return try add(node, .activation(function: .sigmoid), [x], size: x.size)
    }

    private mutating func clip(_ node: ONNXNode) throws -> Map {
        let low = try optionalConstant(node, 1)?.floats.first ?? node.attribute("min")?.f
        let high = try optionalConstant(node, 2)?.floats.first ?? node.attribute("max")?.f
        guard low == 0, high ?? .infinity > 1e30 else {
            throw NodeProblem.unsupported(
                "values are clipped at 0 from below only (ReLU); ReLU6 and other limits have no layer")
        }
        return try activation(node, .relu)
    }

    private mutating func prelu(_ node: ONNXNode) throws -> Map {
        let x = try map(node)
        let constant = try constant(node, 1)
        let slopes = constant.count == 1 ? constant.floats : try perChannel(constant, of: x)
        return try add(
            node, .prelu(slopes: slopes.count), [x], weight: node.input[1], size: x.size,
            parameters: ["weight": Tensor(shape: [slopes.count], values: slopes)])
    }

    private mutating func softmax(_ node: ONNXNode) throws -> Map {
        let x = try map(node)
        let axis = try node.integer("axis", file.operatorSet < 13 ? 1 : -1)
        guard axis == 1 || axis == -(x.spatialAxes + 1) else {
            throw NodeProblem.unsupported("the softmax is over the channels, axis 1, not axis \(axis)")
        }
        // Before version 13 everything from the axis on was one.
        guard file.operatorSet >= 13 || x.spatialAxes == 0 else {
            throw NodeProblem.unsupported(
                "before version 13 it is over channels and positions together; export with version 13 or later")
        }
        if node.opType == "LogSoftmax" {
            guard file.graph.output.contains(where: { $0.name == node.output[0] }) else {
                throw NodeProblem.unsupported("logarithms of probabilities are taken as the last layer only")
            }
            notes.append("Output \(node.output[0]) gives probabilities, where the file gives their logarithms.")
        }
        return try add(node, .softmax, [x], size: x.size)
    }

    // MARK: - Pooling and sizes

    private mutating func pooling(_ node: ONNXNode, _ kind: Pooling.Kind) throws -> Map {
        var x = try pendingMap(node)
        let window = try Window(node, spatialAxes: x.spatialAxes, kernel: try node.integers("kernel_shape"))
        guard window.dilation == .one else { throw NodeProblem.unsupported("the window must not be dilated") }
        var countsPadding = try node.integer("count_include_pad", 0) != 0
        let ceilMode = try node.integer("ceil_mode", 0) != 0
        var padding = window.padding
        if kind == .average, x.padding != .zero, padding == .zero {
            // Zeros that a `Pad` puts there count as values do.
            (padding, countsPadding) = (x.padding, true)
            if ceilMode { try checkCeiling(x, window) }
            x.padding = .zero
        }
        guard x.padding == .zero, x.groups == nil, x.flattened == nil else {
            throw NodeProblem.unsupported("zeros put around a map are taken over by a convolution only")
        }
        let settings = Pooling(
            kind, kernel: window.kernel, stride: window.stride, padding: padding,
            ceilMode: ceilMode, countIncludesPadding: countsPadding)
        return try add(node, .pooling(settings: settings), [x], size: fitted(x) { settings.outputSize($0) })
    }

    /// With `ceil_mode` a last window may begin in zeros that a `Pad` has put behind a map, and may not begin in the
    /// pooling's own padding: the pooling can take the zeros over where none does.
    private func checkCeiling(_ x: Map, _ window: Window) throws {
        if window.stride == .one { return }
        guard let size = x.size else {
            throw NodeProblem.unsupported("ceil_mode behind a Pad depends on the size; export for a fixed input size")
        }
        let padded = Extent3(
            size.depth + 2 * x.padding.depth, size.height + 2 * x.padding.height, size.width + 2 * x.padding.width)
        let inFile = Pooling(.average, kernel: window.kernel, stride: window.stride, ceilMode: true)
        let here = Pooling(
            .average, kernel: window.kernel, stride: window.stride, padding: x.padding, ceilMode: true)
        guard inFile.outputSize(padded) == here.outputSize(size) else {
            throw NodeProblem.unsupported(
                "with ceil_mode its last windows begin in the zeros of a Pad; put the padding into the pooling instead")
        }
    }

    private mutating func globalPooling(_ node: ONNXNode, _ layer: Layer, keepsAxes: Bool) throws -> Map {
        let x = try map(node)
        if x.value.rank == 0 { return x }
        return try add(node, layer, [x], size: .one, spatialAxes: keepsAxes ? x.spatialAxes : 0)
    }

    private mutating func reduction(_ node: ONNXNode) throws -> Map {
        let x = try map(node)
        let total = x.spatialAxes + 2
        let given = try optionalIntegers(node, 1) ?? node.integers("axes")
        let axes = try Set(ConstantFolding.axesOf(given ?? [], rank: total))
        guard x.spatialAxes > 0, axes == Set(2..<total) else {
            throw NodeProblem.unsupported("it is taken over all spatial axes together, 2 to \(total - 1)")
        }
        return try globalPooling(
            node, node.opType == "ReduceMean" ? .globalAveragePooling : .globalMaxPooling,
            keepsAxes: try node.integer("keepdims", 1) != 0)
    }

    private mutating func upsampling(_ node: ONNXNode) throws -> Map {
        let x = try map(node)
        let mode = node.text("mode", "nearest")
        // Inputs are (image, scales) before version 11, then (image, region, scales, sizes).
        let isOld = node.opType == "Upsample" || file.operatorSet < 11
        guard node.text("keep_aspect_ratio_policy", "stretch") == "stretch" else {
            throw NodeProblem.unsupported("every axis grows as its size says (stretch)")
        }
        let axes = try resizedAxes(node, rank: x.spatialAxes + 2)
        /// With those of the axes that the node does not name.
        func ofAll<Value>(_ given: [Value], _ rest: [Value]) throws -> [Value] {
            guard given.count == axes.count else {
                throw NodeProblem.invalid("has \(given.count) scales or sizes for \(axes.count) axes")
            }
            var all = rest
            for (axis, value) in zip(axes, given) { all[axis] = value }
            return all
        }
        let ones = [Float](repeating: 1, count: x.spatialAxes + 2)
        let scales: [Float]
        if let given = try optionalConstant(node, isOld ? 1 : 2)?.floats, !given.isEmpty {
            scales = try ofAll(given, ones)
        } else {
            let shape = shape(of: x).compactMap { $0 }
            guard let given = try optionalIntegers(node, 3), shape.count == x.spatialAxes + 2 else {
                throw NodeProblem.unsupported("the scales must be constants; export the model for a fixed input size")
            }
            let sizes = try ofAll(given, shape)
            guard sizes[0] == batch, sizes[1] == x.channels, sizes.allSatisfy({ $0 > 0 }) else {
                throw NodeProblem.invalid("makes a map of \(sizes) out of \(shape)")
            }
            scales = zip(sizes, shape).map { Float($0) / Float($1) }
        }
        let spatial = scales.suffix(x.spatialAxes)
        guard scales.prefix(2).allSatisfy({ $0 == 1 }),
            spatial.allSatisfy({ $0 >= 1 && $0 == $0.rounded() && $0 <= 64 })
        else {
            throw NodeProblem.unsupported("sizes grow by whole factors along the spatial axes, not by \(scales)")
        }
        let place = node.text("coordinate_transformation_mode", isOld ? "asymmetric" : "half_pixel")
        let scale = Extent3(spatialAxes: spatial.map { Int($0) }, else: 1)
        let kind: Upsampling.Kind
        switch mode {
        case "nearest":
            let rounding = node.text("nearest_mode", isOld ? "floor" : "round_prefer_floor")
            // Combinations that repeat every voxel, as PyTorch does.
            guard
                (place == "asymmetric" && rounding == "floor")
                    || (place.hasSuffix("half_pixel") && rounding.hasPrefix("round"))
            else { throw NodeProblem.unsupported("nearest means to repeat voxels, not \(place) with \(rounding)") }
            kind = .nearest
        case "linear":
            guard place == "align_corners" || place.hasSuffix("half_pixel") else {
                throw NodeProblem.unsupported("linear interpolation places voxels by half_pixel or align_corners")
            }
            kind = .linear
        default: throw NodeProblem.unsupported("interpolation is nearest or linear, not \(mode)")
        }
        let settings = Upsampling(kind, scale: scale, alignCorners: mode == "linear" && place == "align_corners")
        let size = x.size.map {
            Extent3($0.depth * scale.depth, $0.height * scale.height, $0.width * scale.width)
        }
        return try add(node, .upsampling(settings: settings), [x], size: size)
    }

    /// The axes that scales or sizes are given for: from version 18 on a node may name them.
    private func resizedAxes(_ node: ONNXNode, rank: Int) throws -> [Int] {
        guard let axes = try node.integers("axes") else { return Array(0..<rank) }
        return try ConstantFolding.axesOf(axes, rank: rank)
    }

    /// Nothing where all amounts are zero, otherwise zeros for the next convolution.
    private mutating func padding(_ node: ONNXNode) throws -> Map {
        var x = try map(node)
        let pads = try optionalIntegers(node, 1) ?? node.integers("pads") ?? []
        if pads.allSatisfy({ $0 == 0 }) { return x }
        guard node.text("mode", "constant") == "constant",
            try optionalConstant(node, 2)?.floats.first ?? node.number("value", 0) == 0
        else { throw NodeProblem.unsupported("zeros are put around a map, nothing else") }
        var begin = Array(pads.prefix(pads.count / 2))
        var end = Array(pads.suffix(pads.count / 2))
        if let given = try optionalIntegers(node, 3) {
            let axes = try ConstantFolding.axesOf(given, rank: x.spatialAxes + 2)
            guard pads.count == 2 * axes.count else {
                throw NodeProblem.invalid("has \(pads.count) paddings for \(axes.count) axes")
            }
            var (all, last) = (
                [Int](repeating: 0, count: x.spatialAxes + 2), [Int](repeating: 0, count: x.spatialAxes + 2)
            )
            for (n, axis) in axes.enumerated() { (all[axis], last[axis]) = (begin[n], end[n]) }
            (begin, end) = (all, last)
        }
        guard begin == end, begin.count == x.spatialAxes + 2, begin[0] == 0, begin[1] == 0,
            begin.allSatisfy({ $0 >= 0 && $0 <= Bounds.axis })
        else { throw NodeProblem.unsupported("as many zeros are put before as behind, along spatial axes only") }
        x.padding = Extent3(spatialAxes: Array(begin.dropFirst(2)), else: 0)
        return x
    }
}
