import BIDS
import Testing
import Workflow

/// Values as a command line states them.
@Suite struct ParameterTextTests {
    @Test(
        arguments: [
            ("3", 3), ("0.5", 0.5), ("true", true), ("majority", "majority"), ("[64, 64, 32]", [64, 64, 32]),
            ("[age,sex]", ["age", "sex"]), ("[\"age\",\"group\"]", ["age", "group"]), ("{rim: 5}", ["rim": 5]),
            (
                "[{name: left caudate, labels: [1, 2]}]",
                [["name": "left caudate", "labels": [1, 2]]]
            ), ("[[left, right]]", [["left", "right"]]), ("'12'", "12"), ("\"a: b\"", "a: b"), ("a: b", "a: b"),
            ("", ""), ("-0.25", -0.25), ("{}", [:]), (" [1]", [1]), ("01", "01"), ("0", 0),
            ("[0, 0.1, 1]", [0, 0.1, 1]),
            ("{suffix: Chimap, ses: 01, run: 10}", ["suffix": "Chimap", "ses": "01", "run": 10]),
        ] as [(String, JSONValue)])
    func valuesAreReadAsInAWorkflowFile(text: String, expected: JSONValue) throws {
        #expect(try ParameterText.value(text) == expected)
    }

    @Test(arguments: ["[64, 64", "{rim: 5", "'open", "[a: b: c]", "[1], [2]"])
    func whatIsNoValueIsRefused(text: String) {
        #expect {
            try ParameterText.value(text)
        } throws: {
            "\($0)".hasPrefix("“\(text)” begins like a list, a map or a quoted text")
        }
    }
}
