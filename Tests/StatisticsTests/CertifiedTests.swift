import Foundation
import Statistics
import Testing

/// Accuracy against the certified values of the NIST Statistical Reference Datasets.
@Suite struct CertifiedTests {
    // Skipped by name where the shared test data is absent: nist_linregress/Norris.dat.
    @Test(.enabled(if: NISTReferenceData.isPresent("nist_linregress/Norris.dat")))
    func norrisRegression() throws {
        let lines = try NISTReferenceData.lines("nist_linregress/Norris.dat")
        let rows = lines[60...].map(NISTReferenceData.numbers).filter { $0.count == 2 }
        #expect(rows.count == 36)
        let model = try LinearModel(response: rows.map { $0[0] }, covariates: [.numeric("x", rows.map { $0[1] })])
        let intercept = try #require(model.coefficient("Intercept"))
        let slope = try #require(model.coefficient("x"))
        let digits = [
            NISTReferenceData.correctDigits(intercept.estimate, certified: -0.262323073774029),
            NISTReferenceData.correctDigits(slope.estimate, certified: 1.00211681802045),
            NISTReferenceData.correctDigits(intercept.standardError, certified: 0.232818234301152),
            NISTReferenceData.correctDigits(slope.standardError, certified: 0.429796848199937E-03),
            NISTReferenceData.correctDigits(model.residualStandardDeviation, certified: 0.884796396144373),
            NISTReferenceData.correctDigits(model.rSquared, certified: 0.999993745883712),
            NISTReferenceData.correctDigits(model.overall?.fStatistic ?? 0, certified: 5436385.54079785),
            NISTReferenceData.correctDigits(model.residualSumOfSquares, certified: 26.6173985294224),
        ]
        print("Norris, log relative errors: \(digits.map { ($0 * 10).rounded() / 10 })")
        #expect(digits.allSatisfy { $0 > 12 }, "\(digits)")
        #expect(model.residualDegreesOfFreedom == 34)
    }

    // Skipped by name where the shared test data is absent: nist_anova/*.dat. The bound is what the data allow: the
    // files with 13 constant leading digits cannot be read into doubles with more than about four correct digits of
    // the differences, however one computes.
    @Test(
        .enabled(if: NISTReferenceData.isPresent("nist_anova/SiRstv.dat")),
        arguments: [
            ("SiRstv", 12.0), ("AtmWtAg", 8), ("SmLs01", 12), ("SmLs02", 12), ("SmLs03", 12), ("SmLs04", 8),
            ("SmLs05", 8), ("SmLs06", 8), ("SmLs07", 2), ("SmLs08", 2), ("SmLs09", 2),
        ])
    func oneWayAnova(name: String, leastDigits: Double) throws {
        let lines = try NISTReferenceData.lines("nist_anova/\(name).dat")
        let table = try #require(lines.firstIndex { $0.hasPrefix("Source of") })
        let between = try #require(lines[table...].first { $0.hasPrefix("Between") })
        let within = try #require(lines[table...].first { $0.hasPrefix("Within") })
        let certifiedF = try #require(NISTReferenceData.numbers(between).last)
        let certifiedR2 = try #require(
            lines.first { $0.contains("Certified R-Squared") }.flatMap { NISTReferenceData.numbers($0).last })
        let certifiedSD = try #require(
            lines[table...].first { $0.contains("Standard Deviation") }.flatMap { NISTReferenceData.numbers($0).last })
        let degrees = try #require(NISTReferenceData.numbers(within).first)
        let start = try #require(lines.firstIndex { $0.hasPrefix("Data:") && !$0.contains("Factor") })
        let rows = lines[(start + 1)...].map(NISTReferenceData.numbers).filter { $0.count == 2 }
        let model = try LinearModel(
            response: rows.map { $0[1] }, covariates: [.categorical("treatment", rows.map { String(Int($0[0])) })])
        let test = try model.factorTest("treatment")
        let digits = [
            NISTReferenceData.correctDigits(test.fStatistic, certified: certifiedF),
            NISTReferenceData.correctDigits(model.overall?.fStatistic ?? 0, certified: certifiedF),
            NISTReferenceData.correctDigits(model.rSquared, certified: certifiedR2),
            NISTReferenceData.correctDigits(model.residualStandardDeviation, certified: certifiedSD),
        ]
        print("\(name), log relative errors: \(digits.map { ($0 * 10).rounded() / 10 })")
        #expect(model.residualDegreesOfFreedom == Int(degrees))
        #expect(digits.allSatisfy { $0 >= leastDigits }, "\(name): \(digits)")
    }
}
