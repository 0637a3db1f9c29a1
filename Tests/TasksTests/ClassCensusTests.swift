import Testing

@testable import Tasks

/// How many people or lesions there are of each class.
@Suite struct ClassCensusTests {
    @Test func aColumnThatMeasuresSomethingHasNoClasses() {
        let ages = ClassCensus(learned: (40..<60).map { "\($0)" }, judged: ["41", "70", "71"])
        let refusal = ages.refusal(column: "age", isNumeric: true)
        #expect(
            refusal
                == "the column age has 22 levels for 23 people, 21 of them of one person each: it looks continuous; name a "
                + "column of groups with several people each, such as ranges of age")
        #expect(
            ClassCensus(learned: ["a1", "b7", "c2", "d4", "e"], judged: []).refusal(column: "code", isNumeric: false)?
                .contains("it names people rather than groups") == true)
        // Groups that are written as numbers, or few people of few groups, are groups all the same.
        let numbered = ClassCensus(learned: ["0", "0", "1", "1", "2"], judged: ["0"])
        #expect(numbered.refusal(column: "group", isNumeric: true) == nil)
        #expect(ClassCensus(learned: ["0", "1"], judged: []).refusal(column: "group", isNumeric: true) == nil)
        #expect(ClassCensus(learned: ["a", "b", "c"], judged: []).refusal(column: "group", isNumeric: false) == nil)
    }

    @Test func classesThatAreTooFewAreWarnedOf() {
        let census = ClassCensus(learned: ["a", "a", "b", "c", "c"], judged: ["a", "d"])
        #expect(
            census.warnings(unit: ("person", "people")) == [
                "No person of class d is trained on: the model cannot learn it; another “seed” splits otherwise.",
                "Of class b only one person is trained on, which says little of others.",
                "The people that are only judged by have none of classes b, c, of which nothing is judged.",
            ])
        #expect(ClassCensus(learned: ["a", "a", "b", "b"], judged: ["a", "b"]).warnings(unit: ("x", "y")).isEmpty)
        #expect(ClassCensus(learned: ["a", "a", "b", "b"], judged: []).warnings(unit: ("x", "y")).isEmpty)
    }
}
