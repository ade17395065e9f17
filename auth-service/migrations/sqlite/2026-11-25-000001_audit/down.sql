DROP TABLE audit;
DELETE FROM counters WHERE name = 'audit';
