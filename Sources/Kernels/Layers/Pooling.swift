/// Largest value or mean of windows that step over a map, conventions of PyTorch.
package struct Pooling: Hashable, Sendable, Codable {
    package enum Kind: String, Hashable, Sendable, Codable { case max, average }

    package var kind: Kind
    package var kernel, stride, padding: Extent3
    /// Whether a last window that begins within the padded input but reaches beyond it counts.
    package var ceilMode: Bool
    /// Whether zeros of the padding count in averages.
    package var countIncludesPadding: Bool

    package init(
        _ kind: Kind, kernel: Extent3, stride: Extent3? = nil, padding: Extent3 = .zero, ceilMode: Bool = false,
        countIncludesPadding: Bool = true
    ) {
        (self.kind, self.kernel, self.stride) = (kind, kernel, stride ?? kernel)
        (self.padding, self.ceilMode, self.countIncludesPadding) = (padding, ceilMode, countIncludesPadding)
    }

    /// Size of the output; nil when a window does not fit, or when padding is more than half a window.
    package func outputSize(_ input: Extent3) -> Extent3? {
        func length(_ n: Int, _ kernel: Int, _ stride: Int, _ padding: Int) -> Int {
            guard n > 0, kernel > 0, stride > 0, padding >= 0, 2 * padding <= kernel else { return 0 }
            let room = n + 2 * padding - kernel + (ceilMode ? stride - 1 : 0)
            guard room >= 0 else { return 0 }
            var count = room / stride + 1
            // The last window begins within the input or the padding before it.
            if ceilMode && (count - 1) * stride >= n + padding { count -= 1 }
            return count
        }
        let size = Extent3(
            length(input.depth, kernel.depth, stride.depth, padding.depth),
            length(input.height, kernel.height, stride.height, padding.height),
            length(input.width, kernel.width, stride.width, padding.width))
        return size.depth > 0 && size.height > 0 && size.width > 0 ? size : nil
    }

    private func outputShape(_ input: FeatureShape) -> FeatureShape {
        guard let size = outputSize(input.size) else {
            preconditionFailure("A window of \(kernel) with padding \(padding) does not fit a map of \(input.size)")
        }
        return FeatureShape(batch: input.batch, channels: input.channels, size: size)
    }

    /// The geometry as the hot loops read it.
    private func geometry(_ input: Extent3, _ output: Extent3) -> [Int] {
        [input, output, kernel, stride, padding].flatMap { [$0.depth, $0.height, $0.width] }
            + [countIncludesPadding ? 1 : 0]
    }

    /// - Parameter y: `outputSize` of x's size; not x.
    package func forward(_ x: FeatureMap, to y: FeatureMap, threads: Int) {
        check(y, outputShape(x.shape), "The output of pooling")
        let geometry = geometry(x.shape.size, y.shape.size)
        geometry.withUnsafeBufferPointer { geometry in
            Self.forEachRows(y.shape, threads: threads) { image, block, rows in
                let (source, target) = (x.block(block, image: image), y.block(block, image: image))
                switch kind {
                case .max: maximumPoolRows(geometry.baseAddress!, source, target, rows.lowerBound, rows.count)
                case .average: averagePoolRows(geometry.baseAddress!, source, target, rows.lowerBound, rows.count)
                }
            }
        }
    }

    /// Max: the gradient of an output goes to the first position of its window that holds the largest value.
    ///
    /// - Parameters:
    ///   - x, y: what went in and came out; read by max pooling only.
    ///   - dx: shape of x, overwritten; none of the others.
    package func backward(
        x: FeatureMap, y: FeatureMap, gradient dy: FeatureMap, to dx: FeatureMap, threads: Int
    ) {
        check(dy, outputShape(dx.shape), "The gradient behind pooling")
        let (input, output) = (dx.shape.size, dy.shape.size)
        let geometry = geometry(input, output)
        geometry.withUnsafeBufferPointer { geometry in
            let g = geometry.baseAddress!
            switch kind {
            case .average:
                Self.forEachRows(dx.shape, threads: threads) { image, block, rows in
                    averagePoolBackwardRows(
                        g, dy.block(block, image: image), dx.block(block, image: image), rows.lowerBound, rows.count)
                }
            case .max:
                check(x, dx.shape, "The input of pooling")
                check(y, dy.shape, "The output of pooling")
                // Boxes of whole rows, some strides deep and high: windows that reach over a border are searched twice.
                let deep = min(input.depth, 2 * stride.depth)
                let high = min(
                    input.height, max(1, 2048 / max(1, deep * input.width * stride.height)) * stride.height)
                let (layers, bands) = ((input.depth + deep - 1) / deep, (input.height + high - 1) / high)
                Parallel.forEach(dx.shape.batch * dx.shape.blocks * layers * bands, threads: threads) { piece in
                    let (unit, box) = (piece / (layers * bands), piece % (layers * bands))
                    let (image, block) = (unit / dx.shape.blocks, unit % dx.shape.blocks)
                    let (d, h) = (box / bands * deep, box % bands * high)
                    maximumPoolBackward(
                        g, x.block(block, image: image), y.block(block, image: image), dy.block(block, image: image),
                        dx.block(block, image: image), d, min(input.depth, d + deep), h, min(input.height, h + high))
                }
            }
        }
    }

    /// Runs `body` for ranges of rows (depth and height as one axis) of every block of every image.
    static func forEachRows(
        _ shape: FeatureShape, threads: Int, _ body: (_ image: Int, _ block: Int, _ rows: Range<Int>) -> Void
    ) {
        let rows = shape.size.depth * shape.size.height
        let together = max(1, Pieces.vectors / shape.size.width)
        let parts = (rows + together - 1) / together
        Parallel.forEach(shape.batch * shape.blocks * parts, threads: threads) { piece in
            let (unit, part) = (piece / parts, piece % parts)
            body(
                unit / shape.blocks, unit % shape.blocks, part * together..<min(rows, (part + 1) * together))
        }
    }
}
