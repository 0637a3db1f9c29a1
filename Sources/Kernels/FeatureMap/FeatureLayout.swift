/// Between the order of axes of the outside world (batch, channel, depth, height, width) and the blocks of a feature map.
extension FeatureMap {
    /// Fills the map from `planar`: shape.count values, batch and channel slowest, width fastest.
    package func fill(fromPlanar planar: UnsafePointer<Float>, threads: Int = 1) {
        let (positions, channels, lanes) = (shape.positions, shape.channels, FeatureShape.lanes)
        Parallel.forEach(shape.batch * shape.blocks, threads: threads) { piece in
            let (image, block) = (piece / shape.blocks, piece % shape.blocks)
            let target = self.block(block, image: image)
            let first = block * lanes
            let present = min(lanes, channels - first)
            let source = planar + (image * channels + first) * positions
            for p in 0..<positions {
                let t = target + p * lanes
                for lane in 0..<present { t[lane] = source[lane * positions + p] }
                for lane in present..<lanes { t[lane] = 0 }
            }
        }
    }

    /// Writes shape.count values in planar order.
    package func copy(toPlanar planar: UnsafeMutablePointer<Float>, threads: Int = 1) {
        let (positions, channels, lanes) = (shape.positions, shape.channels, FeatureShape.lanes)
        Parallel.forEach(shape.batch * shape.blocks, threads: threads) { piece in
            let (image, block) = (piece / shape.blocks, piece % shape.blocks)
            let source = self.block(block, image: image)
            let first = block * lanes
            let present = min(lanes, channels - first)
            let target = planar + (image * channels + first) * positions
            for lane in 0..<present {
                for p in 0..<positions { target[lane * positions + p] = source[p * lanes + lane] }
            }
        }
    }

    /// The values in planar order, as a tensor of five axes.
    package func tensor(threads: Int = 1) -> Tensor {
        let size = shape.size
        let values = [Float](unsafeUninitializedCapacity: shape.count) { buffer, initialised in
            if let base = buffer.baseAddress { copy(toPlanar: base, threads: threads) }
            initialised = shape.count
        }
        return Tensor(shape: [shape.batch, shape.channels, size.depth, size.height, size.width], values: values)
    }
}
