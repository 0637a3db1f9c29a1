-- What a flag of the quality numbers means, in full.

COMMENT ON COLUMN qc.flag IS 'True when the score is at or beyond the threshold of cohort.qc and the value also differs from the median by what matters: inverse_error and jacobian_minimum by 0.01, registration_similarity by 0.005, folded_fraction by 0.00001, others by any amount. Look at this person.';
