import Foundation

/// Numbers as text, the same on every machine.
enum Numbers {
    /// Fixed decimals with a true minus sign; `–` for what is not finite.
    static func fixed(_ value: Double, _ decimals: Int) -> String {
        guard value.isFinite else { return "–" }
        let text = String(format: "%.\(decimals)f", value)
        // No negative zero.
        let isZero = text.allSatisfy { "-0.".contains($0) }
        if isZero { return text.replacingOccurrences(of: "-", with: "") }
        return text.replacingOccurrences(of: "-", with: "−")
    }

    /// Decimals that show two significant digits of an uncertainty, 0…6.
    static func decimals(showing uncertainty: Double) -> Int {
        guard uncertainty.isFinite, uncertainty > 0 else { return 2 }
        return min(6, max(0, 1 - Int(floor(log10(uncertainty)))))
    }

    /// As few digits as say it: 0.05, 2, 12.5.
    static func plain(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e9 ? String(Int(value)) : String(value)
    }

    /// About three significant digits, for estimates of any size.
    static func short(_ value: Double) -> String {
        guard value.isFinite, value != 0 else { return value == 0 ? "0" : "–" }
        let magnitude = Int(floor(log10(abs(value))))
        if magnitude >= 6 || magnitude <= -5 { return scientific(value, 2) }
        return fixed(value, max(0, 2 - magnitude))
    }

    /// A p- or q-value: three decimals down to 0.001, then powers of ten.
    static func probability(_ value: Double?) -> String {
        guard let value, value.isFinite else { return "–" }
        if value >= 0.001 { return fixed(value, 3) }
        if value < 1e-300 { return "< 10⁻³⁰⁰" }
        return scientific(value, 1)
    }

    static func duration(_ seconds: Double?) -> String {
        guard let seconds, seconds.isFinite else { return "–" }
        if seconds < 10 { return "\(fixed(seconds, 1)) s" }
        if seconds < 120 { return "\(fixed(seconds, 0)) s" }
        let minutes = Int(seconds / 60)
        if minutes < 120 { return "\(minutes) min \(Int(seconds) % 60) s" }
        return "\(minutes / 60) h \(minutes % 60) min"
    }

    static func bytes(_ count: Int?) -> String {
        guard let count else { return "–" }
        if count < 1 << 20 { return "\(count / 1024) KiB" }
        if count < 1 << 30 { return "\(count >> 20) MiB" }
        return "\(fixed(Double(count) / Double(1 << 30), 1)) GiB"
    }

    /// For SVG: two decimals, no trailing zeros, an ASCII minus.
    static func coordinate(_ value: Double) -> String {
        let hundredths = Int((value * 100).rounded())
        let sign = hundredths < 0 ? "-" : ""
        let (whole, rest) = (abs(hundredths) / 100, abs(hundredths) % 100)
        if rest == 0 { return "\(sign)\(whole)" }
        if rest % 10 == 0 { return "\(sign)\(whole).\(rest / 10)" }
        return "\(sign)\(whole).\(rest < 10 ? "0" : "")\(rest)"
    }

    private static func scientific(_ value: Double, _ decimals: Int) -> String {
        let parts = String(format: "%.\(decimals)e", value).split(
            separator: "e")
        let digits = "⁰¹²³⁴⁵⁶⁷⁸⁹".map { $0 }
        let exponent = Int(parts[1]) ?? 0
        let raised = String(abs(exponent)).compactMap(\.wholeNumberValue).map { String(digits[$0]) }.joined()
        let mantissa = parts[0].replacingOccurrences(of: "-", with: "−")
        return "\(mantissa) × 10\(exponent < 0 ? "⁻" : "")\(raised)"
    }
}
