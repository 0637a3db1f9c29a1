import Testing
import Workflow

@Suite struct SuggestionTests {
    @Test(arguments: [
        ("sufix", "suffix"), ("siffux", "suffix"), ("suffxi", "suffix"), ("Datatype", "datatype"), ("ext", "extension"),
        ("dataste", "dataset"),
    ])
    func findsWhatWasMeant(word: String, meant: String) {
        #expect(Suggestion.nearest(to: word, among: ["datatype", "dataset", "extension", "suffix"]) == meant)
    }

    @Test(arguments: ["x", "colour", "", "su"])
    func doesNotGuessWildly(word: String) {
        #expect(Suggestion.nearest(to: word, among: ["datatype", "dataset", "extension", "suffix"]) == nil)
    }

    @Test func listsWhatIsValidInstead() {
        #expect(Suggestion.clause(for: "x", among: ["alpha", "beta"]) == "; valid: alpha, beta")
        #expect(Suggestion.clause(for: "alhpa", among: ["alpha", "beta"]) == "; did you mean alpha?")
        #expect(Suggestion.clause(for: "x", among: [String]()) == "")
    }
}
