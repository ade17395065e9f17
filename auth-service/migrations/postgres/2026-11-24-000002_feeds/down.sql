DROP TABLE verifiers;
DROP TABLE replicas;
DELETE FROM counters WHERE name = 'epoch';
