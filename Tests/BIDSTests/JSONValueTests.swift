import BIDS
import Foundation
import Testing

@Suite struct JSONValueTests {
    @Test func readsEveryKindOfValue() throws {
        let text = #"""
            {"a": null, "b": [true, false], "c": -12, "d": 2.5e-3, "e": "tab\t é \u00e9 \ud83e\udde0 \/", "f": {}, "g": []}
            """#
        let expected: JSONValue = [
            "a": nil, "b": [true, false], "c": -12, "d": 0.0025, "e": "tab\t é é 🧠 /", "f": [:], "g": [],
        ]
        #expect(try JSONValue.parse(text) == expected)
        #expect(try JSONValue.parse(expected.canonicalData) == expected)
        #expect(try JSONValue.parse(expected.prettyData) == expected)
    }

    @Test func acceptsAByteOrderMark() throws {
        #expect(try JSONValue.parse(Data([0xEF, 0xBB, 0xBF]) + Data("{}".utf8)) == [:])
    }

    @Test(arguments: [
        ("", 1, 1, "empty"),
        (" \n\n ", 3, 2, "empty"),
        ("{\n  \"a\": 1,\n}", 3, 1, "comma stands before"),
        ("{\"a\" 1}", 1, 6, "colon is missing"),
        ("{\"a\": 1 \"b\": 2}", 1, 9, "comma or } is missing"),
        ("{\"é\": 1,, }", 1, 9, "member name"),
        ("[1, 2", 1, 6, "ends inside a [ ]"),
        ("{\"a\": NaN}", 1, 7, "NaN"),
        ("{\"a\": 'x'}", 1, 7, "double quotes"),
        ("{\"a\": 1}\n{}", 2, 1, "follows the end"),
        ("{\"a\": 1, \"a\": 2}", 1, 10, "given twice"),
        ("\"open", 1, 1, "not closed"),
        ("[01]", 1, 2, "begin with 0"),
        ("[1.]", 1, 4, "digit is expected"),
        ("[\"\\x\"]", 1, 3, "no JSON escape"),
        ("[\"\\ud800\"]", 1, 3, "surrogate"),
        ("[\"\\ud800\\u0041\"]", 1, 3, "surrogate"),
        ("[1e999]", 1, 2, "too large"),
        ("tru", 1, 1, "did you mean true"),
    ])
    func namesThePlaceOfAFault(text: String, line: Int, column: Int, reason: String) throws {
        let error = try #require(throws: JSONSyntaxError.self) { try JSONValue.parse(text) }
        #expect(error.line == line)
        #expect(error.column == column)
        #expect(error.reason.contains(reason), "\(error)")
    }

    @Test func refusesTextThatIsNotUTF8AndBottomlessNesting() throws {
        #expect(throws: JSONSyntaxError.self) { try JSONValue.parse(Data([0x22, 0xFF, 0x22])) }
        #expect(throws: JSONSyntaxError.self) { try JSONValue.parse(String(repeating: "[", count: 100_000)) }
    }

    @Test func canonicalFormIsOneByteSequencePerValue() throws {
        let first: JSONValue = .object(["b": 1, "a": .number(2), "é": "x", "Z": .number(0.1)])
        let second = try JSONValue.parse(#"{ "Z": 1e-1, "é" : "x", "a": 2, "b": 1.0 }"#)
        #expect(first == second)
        #expect(first.hashValue == second.hashValue)
        #expect(first.canonicalData == second.canonicalData)
        #expect(first.canonicalString == #"{"Z":0.1,"a":2,"b":1,"é":"x"}"#)
    }

    @Test func doublesSurviveExactly() throws {
        var bits: UInt64 = 0x9E37_79B9_7F4A_7C15
        for _ in 0..<2_000 {
            bits = bits &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let value = Double(bitPattern: bits)
            guard value.isFinite else { continue }
            let read = try JSONValue.parse(JSONValue.number(value).canonicalData)
            #expect(read.doubleValue == value)
        }
    }

    @Test func integersBeyondDoublePrecisionStayExact() throws {
        #expect(try JSONValue.parse("9007199254740993").integerValue == 9_007_199_254_740_993)
        #expect(try JSONValue.parse("9223372036854775807").integerValue == .max)
        #expect(JSONValue.integer(9_007_199_254_740_993) != .number(9_007_199_254_740_992))
    }

    @Test func twoSpellingsOfALetterAreTwoTexts() {
        #expect(JSONValue.string("\u{E9}") != .string("e\u{301}"))
        #expect(JSONValue.object(["\u{E9}": 1]) != .object(["e\u{301}": 1]))
    }

    @Test func passesThroughCodable() throws {
        let value: JSONValue = ["a": [1, 2.5, "x", nil, true], "b": ["c": -3]]
        let decoded = try JSONDecoder().decode(JSONValue.self, from: try JSONEncoder().encode(value))
        #expect(decoded == value)
        #expect(decoded.canonicalData == value.canonicalData)
    }

    @Test func numbersJSONCannotWriteBecomeNull() {
        #expect(JSONValue.array([.number(.nan), .number(.infinity)]).canonicalString == "[null,null]")
    }

    @Test func accessorsAnswerOnlyForTheirKind() {
        var value: JSONValue = ["a": [10, 20]]
        #expect(value["a"]?[1]?.integerValue == 20)
        #expect(value["a"]?[2] == nil)
        #expect(value["x"] == nil)
        #expect(value["a"]?.stringValue == nil)
        #expect(JSONValue.number(2.5).integerValue == nil)
        value["x"] = "new"
        #expect(value["x"]?.stringValue == "new")
    }

    /// Damaged texts end in an error or a value, never in a trap; what is read is what canonical writing reads again.
    @Test func damagedTextsNeverTrap() throws {
        let text = Array(#"{"a": [1, -2.5e-3, "x\u00e9\n\ud83e\udde0", null, true], "b": {"c": {}}, "é": "🧠"}"#.utf8)
        var state: UInt64 = 11
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        var readable = 0
        for _ in 0..<20_000 {
            var damaged = text
            for _ in 0...random(3) {
                switch random(3) {
                case 0: damaged[random(damaged.count)] = UInt8(random(256))
                case 1: damaged.remove(at: random(damaged.count))
                default: damaged.removeLast(random(min(4, damaged.count)))
                }
            }
            guard let value = try? JSONValue.parse(Data(damaged)) else { continue }
            readable += 1
            #expect(try JSONValue.parse(value.canonicalData) == value)
        }
        #expect(readable > 0)
    }
}
