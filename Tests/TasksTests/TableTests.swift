import Foundation
import Testing

@testable import Tasks

@Suite struct TableTests {
    @Test func readsWhatItWrites() throws {
        let table = TabSeparatedTable(columns: ["a", "b"], rows: [["1", "n/a"], ["x y", "ü"]])
        #expect(try TabSeparatedTable(data: Data(table.text.utf8), name: "t") == table)
    }

    @Test func acceptsWindowsLinesAndAByteOrderMark() throws {
        let table = try TabSeparatedTable(data: Data("\u{feff}a\tb\r\n1\t2\r\n".utf8), name: "t")
        #expect(table.columns == ["a", "b"])
        #expect(table.rows == [["1", "2"]])
    }

    @Test func refusesRaggedRowsByLine() {
        #expect {
            try TabSeparatedTable(data: Data("a\tb\n1\t2\n3\n".utf8), name: "people.tsv")
        } throws: { "\($0)".contains("people.tsv, line 3: 1 cells where the header has 2") }
    }

    @Test(arguments: [(0.1, "0.1"), (3.0, "3"), (-0.0, "0"), (1e300, "1e+300"), (Double.nan, "n/a")])
    func cellsReadBack(value: Double, text: String) {
        #expect(TabSeparatedTable.cell(value) == text)
    }

    @Test func regionsKeepNumbersNamesAndColours() throws {
        let text = "index\tname\tcolor\n0\tbackground\tn/a\n2\tR\t#0a0B0c\n1\tL\tn/a\n"
        let regions = try RegionTable(TabSeparatedTable(data: Data(text.utf8), name: "dseg.tsv"), name: "dseg.tsv")
        #expect(regions.regions.map(\.index) == [1, 2])
        #expect(regions.regions[1].colour == SIMD3(10, 11, 12))
        #expect(regions.completed(with: [0, 2, 7]).name(of: 7) == "label-7")
        #expect(regions.table.rows[1] == ["2", "R", "#0a0b0c"])
    }

    @Test func sidesAreReadFromNames() {
        let names = ["L_caudate", "right caudate", "Red-Nucleus-L", "brainstem", "l"]
        let table = RegionTable(
            regions: names.enumerated().map { RegionTable.Region(index: UInt16($0 + 1), name: $1, colour: nil) })
        #expect(table.sides(of: [1]) == [.left] && table.sides(of: [2]) == [.right] && table.sides(of: [3]) == [.left])
        #expect(table.sides(of: [4]) == [.left, .right] && table.sides(of: [5]) == [.left, .right])
        #expect(table.sides(of: [1, 2]) == [.left, .right] && table.sides(of: [9]).isEmpty)
    }

    @Test func oneNumberForTwoRegionsIsRefused() throws {
        let table = TabSeparatedTable(columns: ["index", "name"], rows: [["1", "a"], ["1", "b"]])
        #expect { try RegionTable(table, name: "dseg.tsv") } throws: {
            "\($0)".contains("index 1 stands for both “a” and “b”")
        }
    }
}
