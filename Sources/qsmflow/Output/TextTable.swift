/// Rows as aligned columns for people. Numbers stand right, everything else left.
struct TextTable {
    var columns: [String]
    var rows: [[String]] = []
    var rightAligned: Set<Int> = []

    init(_ columns: [String], rightAligned: Set<Int> = []) {
        (self.columns, self.rightAligned) = (columns, rightAligned)
    }

    mutating func add(_ cells: [String]) { rows.append(cells) }

    func printed() {
        guard !rows.isEmpty else { return }
        let lines = lines()
        Console.print(Console.coloured(lines[0], .bold))
        for line in lines.dropFirst() { Console.print(line) }
    }

    /// The header, then the rows.
    func lines() -> [String] {
        var widths = columns.map(Self.width)
        for row in rows { for (n, cell) in row.enumerated() { widths[n] = max(widths[n], Self.width(cell)) } }
        func line(_ cells: [String]) -> String {
            var parts: [String] = []
            for (n, cell) in cells.enumerated() {
                let fill = String(repeating: " ", count: max(0, widths[n] - Self.width(cell)))
                parts.append(rightAligned.contains(n) ? fill + cell : n == cells.count - 1 ? cell : cell + fill)
            }
            return parts.joined(separator: "  ")
        }
        return ([columns] + rows).map(line)
    }

    /// Characters shown, colour codes left out.
    private static func width(_ text: String) -> Int {
        var count = 0
        var inCode = false
        for character in text {
            if character == "\u{1b}" {
                inCode = true
            } else if inCode {
                if character == "m" { inCode = false }
            } else {
                count += 1
            }
        }
        return count
    }
}
