// What a JDBC client reads of our views before and while it shows them: run by test_jdbc.py as a member of a role.
//
// Prints one line a fact, fields separated by tabs: TABLE schema name type remarks; COLUMN table name position
// java.sql.Types type-name size digits remarks; ROWS table count columns; VALUE table column class; REFUSED table sqlstate.

import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

public class Catalogue {
    static void say(Object... fields) {
        StringBuilder line = new StringBuilder();
        for (Object field : fields) {
            if (line.length() > 0) line.append('\t');
            line.append(String.valueOf(field).replace('\t', ' ').replace('\n', ' '));
        }
        System.out.println(line);
    }

    public static void main(String[] arguments) throws SQLException {
        try (Connection connection = DriverManager.getConnection(arguments[0], arguments[1], System.getenv("PASSWORD"))) {
            DatabaseMetaData about = connection.getMetaData();
            List<String> names = new ArrayList<>();
            try (ResultSet tables = about.getTables(null, "analytics", "%", null)) {
                while (tables.next()) {
                    names.add(tables.getString("TABLE_NAME"));
                    say("TABLE", tables.getString("TABLE_SCHEM"), tables.getString("TABLE_NAME"),
                        tables.getString("TABLE_TYPE"), tables.getString("REMARKS"));
                }
            }
            for (String name : names) {
                try (ResultSet columns = about.getColumns(null, "analytics", name, "%")) {
                    while (columns.next()) {
                        say("COLUMN", name, columns.getString("COLUMN_NAME"), columns.getInt("ORDINAL_POSITION"),
                            columns.getInt("DATA_TYPE"), columns.getString("TYPE_NAME"), columns.getInt("COLUMN_SIZE"),
                            columns.getInt("DECIMAL_DIGITS"), columns.getString("REMARKS"));
                    }
                }
                read(connection, name);
            }
        }
    }

    static void read(Connection connection, String name) throws SQLException {
        try (Statement statement = connection.createStatement();
             ResultSet rows = statement.executeQuery("SELECT * FROM analytics.\"" + name + "\"")) {
            ResultSetMetaData shape = rows.getMetaData();
            int count = 0;
            TreeSet<String> seen = new TreeSet<>();
            while (rows.next()) {
                count++;
                for (int column = 1; column <= shape.getColumnCount(); column++) {
                    Object value = rows.getObject(column);
                    if (value != null && rows.getString(column) != null) {
                        seen.add(shape.getColumnName(column) + "\t" + value.getClass().getName());
                    }
                }
            }
            say("ROWS", name, count, shape.getColumnCount());
            for (String one : seen) System.out.println("VALUE\t" + name + "\t" + one);
        } catch (SQLException refused) {
            say("REFUSED", name, refused.getSQLState());
        }
    }
}
