import Kernels

/// One slice of a mosaic.
struct Panel {
    let volume: Volume
    let axes: DisplayAxes
    let plane: Mosaic.Plane
    let slice: Int
    let width: Int
    let height: Int
    private let lower: SIMD3<Int>
    private let upper: SIMD3<Int>
    private let pixelsPerMillimetre: Double
    /// Display directions (0 right, 1 front, 2 up) across and down the panel. Both always run against the direction:
    /// right is on the left, front and up are at the left and top.
    private let across: Int
    private let down: Int
    /// Flat index of (0, 0) of the slice, and what a step along either direction adds to it.
    private let first: Int
    private let acrossStep: Int
    private let downStep: Int

    init(
        volume: Volume, axes: DisplayAxes, plane: Mosaic.Plane, slice: Int, lower: SIMD3<Int>, upper: SIMD3<Int>,
        pixelsPerMillimetre: Double
    ) {
        (self.volume, self.axes, self.plane, self.slice) = (volume, axes, plane, slice)
        (self.lower, self.upper, self.pixelsPerMillimetre) = (lower, upper, pixelsPerMillimetre)
        let through: Int
        switch plane {
        case .axial: (across, down, through) = (0, 1, 2)
        case .coronal: (across, down, through) = (0, 2, 1)
        case .sagittal: (across, down, through) = (1, 2, 0)
        }
        var (origin, right, below) = (SIMD3(0, 0, 0), SIMD3(0, 0, 0), SIMD3(0, 0, 0))
        (origin[through], right[through], below[through]) = (slice, slice, slice)
        (right[across], below[down]) = (1, 1)
        first = axes.index(origin, in: volume.grid)
        acrossStep = axes.index(right, in: volume.grid) - first
        downStep = axes.index(below, in: volume.grid) - first
        let spacing = axes.spacing(of: volume.grid)
        func pixels(_ direction: Int) -> Int {
            let millimetres = Double(upper[direction] - lower[direction] + 1) * spacing[direction]
            return max(1, Int((millimetres * pixelsPerMillimetre).rounded(.down)))
        }
        (width, height) = (pixels(across), pixels(down))
    }

    func draw(
        at left: Int, _ top: Int, _ limits: ClosedRange<Float>, labels: LabelMap?, mask: Mask?,
        colours: (UInt16) -> Colour, maskColour: Colour, into picture: inout Picture
    ) {
        let columns = (0..<width).map { position(of: $0, across) }
        let rows = (0..<height).map { position(of: $0, down) }
        let span = limits.upperBound - limits.lowerBound
        for (y, v) in rows.enumerated() {
            for (x, u) in columns.enumerated() {
                let value = interpolated(u, v)
                let share = value.isFinite && span > 0 ? (value - limits.lowerBound) / span : 0
                picture.plot(left + x, top + y, .grey(UInt8(max(0, min(1, share)) * 255 + 0.5)))
            }
        }
        // The mask first: regions are drawn over it.
        if let mask {
            outline(columns, rows, { UInt16(mask.values[$0] != 0 ? 1 : 0) }) { x, y, _ in
                picture.plot(left + x, top + y, maskColour)
            }
        }
        if let labels {
            outline(columns, rows, { labels.values[$0] }) { x, y, label in
                picture.plot(left + x, top + y, colours(label))
            }
        }
    }

    /// Position in voxels, in display axes, of the middle of a pixel.
    private func position(of pixel: Int, _ direction: Int) -> Double {
        let perPixel = 1 / (pixelsPerMillimetre * axes.spacing(of: volume.grid)[direction])
        return Double(upper[direction]) + 0.5 - (Double(pixel) + 0.5) * perPixel
    }

    /// Flat index of the voxel at (u, v) of the slice: u and v count along `across` and `down`.
    private func index(_ u: Int, _ v: Int) -> Int { first + u * acrossStep + v * downStep }

    private func clamp(_ x: Double, _ direction: Int) -> Double {
        min(Double(upper[direction]), max(Double(lower[direction]), x))
    }

    /// Bilinear within the slice.
    private func interpolated(_ u: Double, _ v: Double) -> Float {
        let (u, v) = (clamp(u, across), clamp(v, down))
        let (i, j) = (Int(u), Int(v))
        let (i1, j1) = (min(i + 1, upper[across]), min(j + 1, upper[down]))
        let (fu, fv) = (Float(u - Double(i)), Float(v - Double(j)))
        let near = volume.values[index(i, j)] * (1 - fu) + volume.values[index(i1, j)] * fu
        let far = volume.values[index(i, j1)] * (1 - fu) + volume.values[index(i1, j1)] * fu
        return near * (1 - fv) + far * fv
    }

    /// Calls `plot` for every pixel of a region that has a pixel of something else beside it.
    private func outline(
        _ columns: [Double], _ rows: [Double], _ value: (Int) -> UInt16, plot: (Int, Int, UInt16) -> Void
    ) {
        let us = columns.map { Int(clamp($0, across).rounded()) }
        let vs = rows.map { Int(clamp($0, down).rounded()) }
        var region = [UInt16](repeating: 0, count: width * height)
        for y in 0..<height {
            for x in 0..<width { region[x + width * y] = value(index(us[x], vs[y])) }
        }
        for y in 0..<height {
            for x in 0..<width {
                let here = region[x + width * y]
                guard here != 0 else { continue }
                let inner =
                    (x == 0 || region[x - 1 + width * y] == here)
                    && (x == width - 1 || region[x + 1 + width * y] == here)
                    && (y == 0 || region[x + width * (y - 1)] == here)
                    && (y == height - 1 || region[x + width * (y + 1)] == here)
                if !inner { plot(x, y, here) }
            }
        }
    }
}
