import BIDS
import Testing

@testable import qsmflow

/// What `models inspect` shows of a model.
@Suite struct ModelCardTextTests {
    @Test func cardsOfClassifiersNameWhatTheyTake() {
        let card: JSONValue = [
            "name": "logistic-people", "task": "classification",
            "architecture": "logistic regression, 6 features of people",
            "inputs": ["a", "b", "c", "d", "e", "f"], "classes": ["control", "HH"], "residualised": ["age"],
            "source": "trained", "split": ["training": ["01", "02"]],
            "data": [["file": "x.tsv", "digest": "00"]],
            "metrics": [
                ["name": "auc", "measuredOn": "people out of bag", "value": 0.87654],
                ["name": "brier", "measuredOn": "people out of bag", "value": .null],
            ],
            "training": ["method": "logistic"], "softwareVersion": "1.2",
        ]
        #expect(
            ModelCardText(card).text == """
                task          classification
                classifier    logistic regression, 6 features of people
                features      6: a, b, c, d, e …
                classes       2: control, HH
                residualised  for age
                people        2 trained on
                data          1 file
                metric        auc on people out of bag: 0.8765
                written by    qsmflow 1.2
                """)
    }

    /// A card of another program.
    @Test func otherCardsAreShownByTheirMembers() {
        let list: JSONValue = .array((0..<60).map { .integer($0) })
        #expect(ModelCardText(["a": "text", "list": list]).text == "a     text\nlist  60 entries")
    }
}
