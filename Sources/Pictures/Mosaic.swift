import Kernels

/// Slices of a volume side by side: one row of axial, one of coronal and one of sagittal slices, with the outlines of
/// regions and of a mask.
///
/// Pictures follow the radiological convention: axial and coronal slices have the subject's right on the left (an R is
/// drawn there); sagittal slices look at the subject from the left, front to the left (an A is drawn there). Slices run
/// along the image's own axes nearest to the anatomical ones.
package struct Mosaic: Sendable {
    package enum Plane: String, Sendable, CaseIterable { case axial, coronal, sagittal }

    package enum Extent: String, Sendable {
        /// The box around the mask, else around the labels, else around all that is brighter than the background.
        case brain
        /// The box around the outlined regions, where there are any.
        case regions
    }

    /// Which values become black and white.
    package enum Window: Sendable, Equatable {
        /// Fixed ends, in the unit of the volume.
        case range(ClosedRange<Float>)
        /// Percentiles (0…100) of the values inside the mask, or of all values that are not zero without one.
        case percentiles(Double, Double)
    }

    package var window = Window.percentiles(0.5, 99.5)
    package var planes = Plane.allCases
    package var columns = 5
    /// The picture is at most this wide.
    package var widthPixels = 1200
    /// Added around the shown part of the volume.
    package var marginMillimetres = 8.0
    /// What fills the picture.
    package var extent = Extent.brain
    /// Regions larger than this are not outlined (cortex and white matter would cover the nuclei); nil outlines all.
    package var largestOutlineMillilitres: Double? = 20
    /// Drawn in the top left corner; ASCII.
    package var caption = ""
    package var outlineColours: @Sendable (UInt16) -> Colour = { Palette.colour($0) }
    package var maskColour = Palette.brain

    package init() {}

    /// Draws the mosaic.
    ///
    /// Slices are spread evenly over the outlined regions when there are any, else over the part shown.
    ///
    /// - Parameters:
    ///   - labels: outlined region by region, on the grid of `volume`.
    ///   - mask: outlined in one colour, on the grid of `volume`.
    /// - Throws: `GridError.mismatch`.
    package func picture(of volume: Volume, labels: LabelMap? = nil, mask: Mask? = nil) throws -> Picture {
        try requireSameGrid(volume, labels?.grid, "the label map")
        try requireSameGrid(volume, mask?.grid, "the mask")
        let labels = labels.map(outlined)
        let axes = DisplayAxes(volume.grid)
        let limits = ends(of: volume, mask: mask)
        let layout = Layout(self, volume, axes, labels, mask, darkest: limits.lowerBound)
        let captionHeight = caption.isEmpty ? 0 : 2 * BitmapFont.lineHeight + 4
        var picture = Picture(width: layout.width, height: layout.height + captionHeight)
        if !caption.isEmpty {
            BitmapFont.draw(caption, at: 4, 4, scale: 2, colour: .white, into: &picture)
        }
        for (row, plane) in planes.enumerated() {
            for column in 0..<columns {
                let panel = Panel(
                    volume: volume, axes: axes, plane: plane, slice: layout.slice(plane, column), lower: layout.lower,
                    upper: layout.upper, pixelsPerMillimetre: layout.pixelsPerMillimetre)
                let x = column * layout.cellWidth + (layout.cellWidth - panel.width) / 2
                let y = captionHeight + layout.tops[row] + (layout.heights[row] - panel.height) / 2
                panel.draw(
                    at: x, y, limits, labels: labels, mask: mask, colours: outlineColours, maskColour: maskColour,
                    into: &picture)
                if column == 0 {
                    let letter = plane == .sagittal ? "A" : "R"
                    BitmapFont.draw(
                        letter, at: 3, captionHeight + layout.tops[row] + layout.heights[row] / 2 - 7, scale: 2,
                        colour: Colour(255, 214, 10), into: &picture)
                }
            }
        }
        return picture
    }

    /// Without the regions that are too large to outline.
    private func outlined(_ labels: LabelMap) -> LabelMap {
        guard let limit = largestOutlineMillilitres else { return labels }
        var counts = [Int](repeating: 0, count: 1 << 16)
        for label in labels.values { counts[Int(label)] += 1 }
        let most = limit * 1000 / labels.grid.voxelVolumeCubicMillimetres
        return LabelMap(grid: labels.grid, values: labels.values.map { Double(counts[Int($0)]) <= most ? $0 : 0 })
    }

    private func requireSameGrid(_ volume: Volume, _ grid: VoxelGrid?, _ name: String) throws {
        guard let grid, !grid.matches(volume.grid) else { return }
        throw GridError.mismatch(first: "the image", firstGrid: volume.grid, second: name, secondGrid: grid)
    }

    private func ends(of volume: Volume, mask: Mask?) -> ClosedRange<Float> {
        switch window {
        case .range(let range): return range
        case .percentiles(let low, let high):
            let chosen = mask?.values ?? volume.values.map { $0 != 0 ? 1 : 0 }
            guard let ends = OrderStatistics.percentiles([low, high], of: volume.values, where: chosen),
                ends[0] < ends[1]
            else { return 0...1 }
            return ends[0]...ends[1]
        }
    }
}

/// Where the panels go.
private struct Layout {
    /// The shown box in display axes, upper end included.
    let lower: SIMD3<Int>
    let upper: SIMD3<Int>
    let pixelsPerMillimetre: Double
    let cellWidth: Int
    let heights: [Int]
    let tops: [Int]
    let width: Int
    let height: Int
    private let columns: Int
    private let sliceLower: SIMD3<Int>
    private let sliceUpper: SIMD3<Int>

    init(
        _ mosaic: Mosaic, _ volume: Volume, _ axes: DisplayAxes, _ labels: LabelMap?, _ mask: Mask?, darkest: Float
    ) {
        let grid = volume.grid
        let size = axes.size(of: grid)
        let spacing = axes.spacing(of: grid)
        let all = (lower: SIMD3(0, 0, 0), upper: size &- 1)
        let labelled = labels.flatMap { labels in axes.bounds(in: grid) { labels.values[$0] != 0 } }
        let masked = mask.flatMap { mask in axes.bounds(in: grid) { mask.values[$0] != 0 } }
        let wanted = mosaic.extent == .regions ? labelled : nil
        let shown = wanted ?? masked ?? labelled ?? axes.bounds(in: grid) { volume.values[$0] > darkest } ?? all
        var (lower, upper) = (shown.lower, shown.upper)
        for direction in 0..<3 {
            let margin = Int((mosaic.marginMillimetres / spacing[direction]).rounded(.up))
            lower[direction] = max(0, lower[direction] - margin)
            upper[direction] = min(size[direction] - 1, upper[direction] + margin)
        }
        (self.lower, self.upper) = (lower, upper)
        (sliceLower, sliceUpper) = labelled ?? shown
        columns = mosaic.columns
        let extent =
            SIMD3<Double>(
                Double(upper.x - lower.x + 1), Double(upper.y - lower.y + 1), Double(upper.z - lower.z + 1)) * spacing
        func panelWidth(_ plane: Mosaic.Plane) -> Double { plane == .sagittal ? extent.y : extent.x }
        func panelHeight(_ plane: Mosaic.Plane) -> Double { plane == .axial ? extent.y : extent.z }
        cellWidth = max(1, mosaic.widthPixels / mosaic.columns)
        let widest = mosaic.planes.map(panelWidth).max() ?? 1
        // Between a picture too small to see and needless magnification of few voxels.
        let scale = min(8, Double(cellWidth - 2) / widest)
        pixelsPerMillimetre = scale
        let heights = mosaic.planes.map { max(1, Int((panelHeight($0) * scale).rounded(.up))) + 2 }
        self.heights = heights
        tops = heights.indices.map { heights[..<$0].reduce(0, +) }
        width = cellWidth * mosaic.columns
        height = max(1, heights.reduce(0, +))
    }

    /// The slice shown in a column: the middles of as many equal parts of the range.
    func slice(_ plane: Mosaic.Plane, _ column: Int) -> Int {
        let direction = plane == .axial ? 2 : plane == .coronal ? 1 : 0
        let (low, high) = (Double(sliceLower[direction]), Double(sliceUpper[direction] + 1))
        let position = low + (high - low) * (Double(column) + 0.5) / Double(columns)
        return min(sliceUpper[direction], max(sliceLower[direction], Int(position)))
    }
}
