/// Region numbers and names of a `dseg.tsv` (BIDS: columns `index` and `name`; `color` and others optional).
struct RegionTable: Sendable, Equatable {
    struct Region: Sendable, Equatable {
        var index: UInt16
        var name: String
        /// Red, green, blue where the table has a `color` column.
        var colour: SIMD3<UInt8>?
    }

    /// In the order of their indices; background (0) left out.
    var regions: [Region]

    init(regions: [Region]) { self.regions = regions.sorted { $0.index < $1.index } }

    init(_ table: TabSeparatedTable, name file: String) throws {
        let (index, name) = (try table.column("index", of: file), try table.column("name", of: file))
        let colour = table.columns.firstIndex(of: "color")
        var seen: [UInt16: String] = [:]
        for row in table.rows {
            guard let number = UInt16(row[index]) else {
                throw Problem.badIndex(file: file, text: row[index])
            }
            if let other = seen[number] {
                throw Problem.twice(file: file, index: number, first: other, second: row[name])
            }
            seen[number] = row[name]
        }
        self.init(
            regions: table.rows.compactMap { row in
                guard let number = UInt16(row[index]), number > 0 else { return nil }
                return Region(index: number, name: row[name], colour: colour.flatMap { Self.colour(row[$0]) })
            })
    }

    enum Problem: Error, CustomStringConvertible {
        case badIndex(file: String, text: String)
        case twice(file: String, index: UInt16, first: String, second: String)

        var description: String {
            switch self {
            case .badIndex(let file, let text):
                "\(file): “\(text)” in column index is not a whole number from 0 to 65535; correct it"
            case .twice(let file, let index, let first, let second):
                "\(file): index \(index) stands for both “\(first)” and “\(second)”; give each region its own"
            }
        }
    }

    func name(of index: UInt16) -> String? { regions.first { $0.index == index }?.name }
    func index(of name: String) -> UInt16? { regions.first { $0.name == name }?.index }

    /// The regions that are called so, or whose names have these words: `caudate` is both `L_caudate` and `right_caudate`, and
    /// `red_nucleus` is `Red-Nucleus-L`.
    ///
    /// - Returns: regions in the order of the table, and what is the name of none.
    func matching(_ wanted: [String]) -> (regions: [Region], unknown: [String]) {
        let words = regions.map { Self.words($0.name) }
        var isChosen = regions.map { _ in false }
        var unknown: [String] = []
        for name in wanted {
            let own = Self.words(name)
            let exact = regions.indices.filter { regions[$0].name == name }
            let found = exact.isEmpty && !own.isEmpty ? regions.indices.filter { words[$0].contains(own) } : exact
            for place in found { isChosen[place] = true }
            if found.isEmpty { unknown.append(name) }
        }
        return (zip(regions, isChosen).filter(\.1).map(\.0), unknown)
    }

    enum Side: Hashable, Sendable { case left, right }

    /// Which halves of the body regions are of, by the first or last word of their names: L_caudate, right caudate,
    /// Red-Nucleus-L; others are of both.
    func sides(of labels: Set<UInt16>) -> Set<Side> {
        Set(
            regions.filter { labels.contains($0.index) }.flatMap { region -> [Side] in
                let words = Self.words(region.name)
                let ends = words.count > 1 ? [words[0], words[words.count - 1]] : []
                if ends.contains(where: { $0 == "l" || $0 == "left" }) { return [.left] }
                if ends.contains(where: { $0 == "r" || $0 == "right" }) { return [.right] }
                return [.left, .right]
            })
    }

    private static func words(_ name: String) -> [String] {
        name.lowercased().split { !$0.isLetter && !$0.isNumber }.map(String.init)
    }

    /// Every label that occurs in the image but not in the table becomes a region `label-N`, so that none is lost.
    func completed(with labels: some Sequence<UInt16>) -> RegionTable {
        let known = Set(regions.map(\.index))
        let extra = labels.filter { $0 != 0 && !known.contains($0) }
        return RegionTable(regions: regions + extra.map { Region(index: $0, name: "label-\($0)", colour: nil) })
    }

    var table: TabSeparatedTable {
        let coloured = regions.contains { $0.colour != nil }
        return TabSeparatedTable(
            columns: ["index", "name"] + (coloured ? ["color"] : []),
            rows: regions.map { region in
                [String(region.index), region.name]
                    + (coloured ? [region.colour.map(Self.hexadecimal) ?? "n/a"] : [])
            })
    }

    private static func colour(_ text: String) -> SIMD3<UInt8>? {
        guard text.hasPrefix("#"), text.count == 7, let value = UInt32(text.dropFirst(), radix: 16) else { return nil }
        return SIMD3(UInt8(value >> 16), UInt8(value >> 8 & 255), UInt8(value & 255))
    }

    private static func hexadecimal(_ colour: SIMD3<UInt8>) -> String {
        let value = UInt32(colour.x) << 16 | UInt32(colour.y) << 8 | UInt32(colour.z)
        let digits = String(value, radix: 16)
        return "#" + String(repeating: "0", count: 6 - digits.count) + digits
    }
}
