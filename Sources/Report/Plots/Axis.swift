import Foundation

/// A linear scale from data to pixels with round ticks.
struct Axis {
    let low: Double
    let high: Double
    let ticks: [Double]
    /// Pixels of `low` and `high`; the second may be the smaller one (y axes).
    let from: Double
    let to: Double
    private let decimals: Int

    /// - Parameters:
    ///   - values: what must fit; non-finite ones are ignored.
    ///   - includesZero: whether the scale reaches zero.
    init(_ values: [Double], pixels: (from: Double, to: Double), includesZero: Bool = false, tickCount: Int = 5) {
        let finite = values.filter(\.isFinite) + (includesZero ? [0] : [])
        var (low, high) = (finite.min() ?? 0, finite.max() ?? 1)
        if low == high { (low, high) = (low - max(1, abs(low) * 0.1), high + max(1, abs(high) * 0.1)) }
        let step = Self.roundStep((high - low) / Double(tickCount))
        let margin = (high - low) * 0.04
        (low, high) = (low - margin, high + margin)
        let first = (low / step).rounded(.up)
        ticks = stride(from: first, through: (high / step).rounded(.down), by: 1).map { $0 * step }
        decimals = max(0, Int(ceil(-log10(step) - 1e-9)))
        (self.low, self.high, from, to) = (low, high, pixels.from, pixels.to)
    }

    /// A scale from end to end, whatever lies on it.
    init(range: ClosedRange<Double>, pixels: (from: Double, to: Double), tickCount: Int = 5) {
        let step = Self.roundStep((range.upperBound - range.lowerBound) / Double(tickCount))
        let first = (range.lowerBound / step - 1e-9).rounded(.up)
        ticks = stride(from: first, through: (range.upperBound / step + 1e-9).rounded(.down), by: 1).map { $0 * step }
        decimals = max(0, Int(ceil(-log10(step) - 1e-9)))
        (low, high, from, to) = (range.lowerBound, range.upperBound, pixels.from, pixels.to)
    }

    /// 1, 2 or 5 times a power of ten, not below `raw`.
    private static func roundStep(_ raw: Double) -> Double {
        let power = pow(10, floor(log10(raw)))
        let fraction = raw / power
        return power * (fraction <= 1 ? 1 : fraction <= 2 ? 2 : fraction <= 5 ? 5 : 10)
    }

    func pixel(_ value: Double) -> Double { from + (value - low) / (high - low) * (to - from) }

    func label(_ tick: Double) -> String { Numbers.fixed(tick, decimals) }
}

/// The frame of a plot: axes with ticks, grid lines and titles with units.
struct PlotFrame {
    static let width = 320.0
    static let height = 230.0
    /// Room for ticks of six characters beside the title.
    static let left = 66.0
    static let right = 310.0
    static let top = 12.0
    static let bottom = 188.0

    static func yAxis(_ axis: Axis, title: String) -> HTML {
        let lines = axis.ticks.html { tick in
            let y = axis.pixel(tick)
            return
                "<line class=\"grid\" x1=\"\(left)\" x2=\"\(right)\" y1=\"\(y)\" y2=\"\(y)\"/><text x=\"\(left - 5)\" y=\"\(y + 4)\" class=\"end\">\(axis.label(tick))</text>"
        }
        let middle = (top + bottom) / 2
        return
            "\(lines)<text class=\"axis mid\" transform=\"translate(10 \(middle)) rotate(-90)\">\(title)</text>"
    }

    static func xAxis(_ axis: Axis, title: String) -> HTML {
        let lines = axis.ticks.html { tick in
            let x = axis.pixel(tick)
            return
                "<line class=\"tick\" x1=\"\(x)\" x2=\"\(x)\" y1=\"\(bottom)\" y2=\"\(bottom + 4)\"/><text x=\"\(x)\" y=\"\(bottom + 16)\" class=\"mid\">\(axis.label(tick))</text>"
        }
        let middle = (left + right) / 2
        return
            "\(base)\(lines)<text class=\"axis mid\" x=\"\(middle)\" y=\"\(bottom + 35)\">\(title)</text>"
    }

    static var base: HTML {
        "<line class=\"base\" x1=\"\(left)\" x2=\"\(right)\" y1=\"\(bottom)\" y2=\"\(bottom)\"/>"
    }

    /// Wraps a drawing as an image with a description for readers who do not see it.
    static func svg(_ body: HTML, description: String, width: Double = width, height: Double = height) -> HTML {
        "<svg viewBox=\"0 0 \(width) \(height)\" role=\"img\" aria-label=\"\(description)\">\(body)</svg>"
    }
}

/// Groups or sites in a fixed order, each with a colour and a marker that print apart.
struct Series {
    /// Sorted by name; participants without one come last under `not given`.
    let names: [String]
    private let places: [String: Int]

    init(_ values: [String?]) {
        let given = Set(values.compactMap { $0 }).sorted()
        names = given + (values.contains { $0 == nil } && !given.isEmpty ? [Self.absent] : [])
        places = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
    }

    static let absent = "not given"

    /// 0 when there are no names at all.
    func place(_ name: String?) -> Int { places[name ?? Self.absent] ?? 0 }

    /// Colours and markers repeat after eight.
    static func style(_ place: Int) -> Int { place % 8 }

    var count: Int { max(1, names.count) }

    /// Markers, defined once per page.
    static let markers: HTML = """
        <svg width="0" height="0" aria-hidden="true"><defs>\
        <circle id="m0" r="2.6"/><path id="m1" d="M0-3.2 2.9 2H-2.9Z"/><rect id="m2" x="-2.3" y="-2.3" width="4.6" height="4.6"/>\
        <path id="m3" d="M0-3.3 3.3 0 0 3.3-3.3 0Z"/><path id="m4" d="M0 3.2 2.9-2H-2.9Z"/>\
        <path id="m5" d="M-3-1H-1V-3H1V-1H3V1H1V3H-1V1H-3Z"/><circle id="m6" r="1.7"/><rect id="m7" x="-1.6" y="-3" width="3.2" height="6"/>\
        </defs></svg>
        """

    var legend: HTML {
        guard names.count > 1 else { return .empty }
        let items = names.enumerated().html { place, name in
            let style = Self.style(place)
            return
                "<li><svg width=\"14\" height=\"12\" aria-hidden=\"true\"><use class=\"s\(style)\" href=\"#m\(style)\" x=\"7\" y=\"6\"/></svg>\(name)</li>"
        }
        return "<ul class=\"legend\">\(items)</ul>"
    }
}
