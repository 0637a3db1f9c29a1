/// Sizes and times as people write them.
enum Quantity {
    private static let bytes: [String: Double] = [
        "b": 1, "kib": 1024, "mib": 1_048_576, "gib": 1_073_741_824, "tib": 1_099_511_627_776,
        "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "k": 1024, "m": 1_048_576, "g": 1_073_741_824,
        "t": 1_099_511_627_776,
    ]

    /// `2GiB`, `1.5 GB`, `512M` (a bare letter is binary, as container tools have it) in MiB, rounded up; nil for
    /// anything else, a number without unit included.
    static func mebibytes(_ text: String) -> Int? {
        guard let (number, unit) = split(text[...])?.first, split(text[...])?.count == 1,
            let factor = bytes[unit.lowercased()]
        else { return nil }
        let mebibytes = (number * factor / 1_048_576).rounded(.up)
        return mebibytes >= 1 && mebibytes < 1e9 ? Int(mebibytes) : nil
    }

    private static let seconds: [String: Double] = [
        "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "hour": 3600, "hours": 3600, "d": 86_400, "day": 86_400,
        "days": 86_400,
    ]

    /// `90s`, `30m`, `1h30m`, `2 days`; nil for anything else, a number without unit included.
    static func seconds(_ text: String) -> Double? {
        guard let parts = split(text[...]), !parts.isEmpty else { return nil }
        var total = 0.0
        for (number, unit) in parts {
            guard let factor = seconds[unit.lowercased()] else { return nil }
            total += number * factor
        }
        return total.isFinite ? total : nil
    }

    /// Pairs of a number and the letters after it.
    private static func split(_ text: Substring) -> [(Double, String)]? {
        var parts: [(Double, String)] = []
        var rest = text.drop { $0 == " " }
        while !rest.isEmpty {
            let digits = rest.prefix { ("0"..."9").contains($0) || $0 == "." }
            rest = rest.dropFirst(digits.count).drop { $0 == " " }
            let unit = rest.prefix { $0.isASCII && $0.isLetter }
            rest = rest.dropFirst(unit.count).drop { $0 == " " }
            guard let number = Double(digits), !unit.isEmpty else { return nil }
            parts.append((number, String(unit)))
        }
        return parts
    }
}
