/// An axis of a volume as it lies in memory: width is i, the fastest; depth is k.
package enum GridAxis: String, Sendable, Hashable, Codable, CaseIterable {
    case depth, height, width

    /// One along this axis, as (i, j, k).
    package var direction: SIMD3<Double> {
        switch self {
        case .width: SIMD3(1, 0, 0)
        case .height: SIMD3(0, 1, 0)
        case .depth: SIMD3(0, 0, 1)
        }
    }
}

/// Some of the axes. (A `Set` would be written in another order by every process.)
package struct GridAxes: Sendable, Hashable, Codable, ExpressibleByArrayLiteral {
    package var depth = false
    package var height = false
    package var width = false

    package init(arrayLiteral axes: GridAxis...) { self.init(axes) }

    package init(_ axes: some Sequence<GridAxis>) {
        for axis in axes {
            switch axis {
            case .depth: depth = true
            case .height: height = true
            case .width: width = true
            }
        }
    }

    package static let all: GridAxes = [.depth, .height, .width]

    package func contains(_ axis: GridAxis) -> Bool {
        switch axis {
        case .depth: depth
        case .height: height
        case .width: width
        }
    }
}

/// A number for each axis.
package struct AxisValues: Sendable, Hashable, Codable {
    package var depth, height, width: Double

    package init(depth: Double = 0, height: Double = 0, width: Double = 0) {
        (self.depth, self.height, self.width) = (depth, height, width)
    }

    package subscript(axis: GridAxis) -> Double {
        switch axis {
        case .depth: depth
        case .height: height
        case .width: width
        }
    }
}
