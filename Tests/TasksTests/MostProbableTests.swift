import Testing

@testable import Tasks

/// Which class probabilities say.
@Suite struct MostProbableTests {
    @Test func theLargestAndOfEqualsTheLast() {
        #expect(MostProbable.index(of: [0.2, 0.7, 0.1]) == 1)
        #expect(MostProbable.index(of: [0.7, 0.2, 0.1]) == 0)
        // Evaluations call positive what has a half or more.
        #expect(MostProbable.index(of: [0.5, 0.5]) == 1)
        #expect(MostProbable.index(of: [0.4, 0.2, 0.4]) == 2)
    }
}
