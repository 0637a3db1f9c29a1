/// Finds the type of one column and reads its fields.
///
/// The sidecar decides where it speaks: `Levels` makes categories, also of numbers; `Units` makes numbers. Otherwise
/// the values do: all whole numbers, all numbers, all true or false; texts are categories when they are few.
struct ColumnReader {
    /// A column without `Levels` and with more different texts than this is free text.
    static let categoryLimit = 32
    /// Nine in ten fields that are numbers make a column of numbers with some wrong fields, not one of categories.
    static let numericShare = 0.9

    let name: String
    let sidecar: JSONValue?
    let path: String

    init(name: String, sidecar: JSONValue?, path: String) {
        self.name = name
        self.sidecar = sidecar
        self.path = path
    }

    func read(
        _ fields: [(line: Int, text: String)]
    ) -> (column: CovariateColumn, values: [CovariateValue?], problems: [DatasetProblem]) {
        var problems: [DatasetProblem] = []
        func warn(_ line: Int, _ what: String) {
            problems.append(DatasetProblem(.warning, path: path, "\(path), line \(line), column \(name): \(what)"))
        }
        var isSpellingReported = false
        let present: [String?] = fields.map { field in
            if field.text == "n/a" { return nil }
            guard Self.missingSpellings.contains(field.text) else { return field.text }
            if !isSpellingReported {
                isSpellingReported = true
                let what = field.text.isEmpty ? "an empty field" : "“\(field.text)”"
                warn(field.line, "\(what) is read as missing; write n/a")
            }
            return nil
        }

        let levels = sidecar?["Levels"]?.objectValue
        let units = sidecar?["Units"]?.stringValue
        let type = self.type(of: present.compactMap { $0 }, hasLevels: levels != nil, hasUnits: units != nil)
        let column = CovariateColumn(
            name: name, type: type, description: sidecar?["Description"]?.stringValue, units: units,
            levels: levels?.mapValues { $0.stringValue ?? $0["Description"]?.stringValue ?? "" })

        var isLevelReported: Set<String> = []
        var values: [CovariateValue?] = []
        values.reserveCapacity(fields.count)
        for (field, text) in zip(fields, present) {
            guard let text else {
                values.append(nil)
                continue
            }
            switch type {
            case .boolean: values.append(.boolean(text.lowercased() == "true"))
            case .text: values.append(.text(text))
            case .category:
                if let levels, levels[text] == nil, isLevelReported.insert(text).inserted {
                    warn(field.line, "“\(text)” is not among the Levels of its sidecar; add it there or correct it")
                }
                values.append(.category(text))
            case .integer, .number:
                if let number = Self.number(text) {
                    values.append(type == .integer ? Int64(exactly: number).map { .integer($0) } : .number(number))
                } else if text.hasSuffix("+"), let number = Self.number(String(text.dropLast())) {
                    // "89+" protects the oldest; the standard now asks for a plain number there.
                    warn(field.line, "“\(text)” is read as \(text.dropLast()); write a plain number")
                    values.append(type == .integer ? Int64(exactly: number).map { .integer($0) } : .number(number))
                } else {
                    let isDecimalComma = Self.number(text.replacing(",", with: ".")) != nil
                    let hint = isDecimalComma ? " (the decimal sign is a point)" : ""
                    warn(field.line, "“\(text)” is not a number and is left out; correct it or write n/a\(hint)")
                    values.append(nil)
                }
            }
        }
        return (column, values, problems)
    }

    private func type(of texts: [String], hasLevels: Bool, hasUnits: Bool) -> CovariateType {
        if hasLevels { return .category }
        if texts.isEmpty { return hasUnits ? .number : .text }
        let numbers = texts.compactMap { Self.number($0.hasSuffix("+") ? String($0.dropLast()) : $0) }
        if hasUnits || Double(numbers.count) >= Self.numericShare * Double(texts.count) {
            return numbers.allSatisfy { Int64(exactly: $0) != nil } && !texts.contains { $0.contains(".") }
                ? .integer : .number
        }
        if texts.allSatisfy({ $0.lowercased() == "true" || $0.lowercased() == "false" }) { return .boolean }
        return Set(texts).count <= Self.categoryLimit ? .category : .text
    }

    private static let missingSpellings: Set<String> = ["", "N/A", "NA", "na", "nan", "NaN", "NAN", "NULL", "null"]

    /// A decimal number as tables write it; `Double` alone would also take `inf`, `nan` and hexadecimal.
    static func number(_ text: String) -> Double? {
        guard
            text.utf8.allSatisfy({
                switch $0 {
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
                    UInt8(ascii: "e"), UInt8(ascii: "E"):
                    true
                default: false
                }
            }), let value = Double(text), value.isFinite
        else { return nil }
        return value
    }
}
